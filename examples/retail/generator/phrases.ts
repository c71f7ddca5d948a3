import type { CancelReason } from '../tools/pending-orders.ts';
import type { RequestKind } from './requests.ts';

/**
 * How customers put things. `<a|b>` is one of the alternatives, `{name}` is filled in. Every template of a request about an
 * order names it once, in its first sentence; `{list}` is `{items}` within a sentence, `{swaps}` comes after the order.
 */
export const REQUEST_PHRASES: Readonly<Record<Exclude<RequestKind, 'foreign' | 'late'>, readonly string[]>> = {
  cancel: [
    '<Cancel|Please cancel|Kindly cancel|Call off|Please call off|Scrap> {order}<,|;| -> {reason}.',
    'I <want|would like|need|wish> to <cancel|call off|annul> {order} because {reason}.',
    '{order} <can be cancelled|should be called off|must not be sent|can be dropped>. The reason is that {reason}.',
    'Do not <ship|send|deliver> {order}: {reason}, <cancel it|call it off>.',
    'About {order}: {reason}, so <stop|void|cancel|drop> it<| please>.',
    'Is {order} still in your warehouse? Then <cancel|stop|call off> the <whole|entire> thing, {reason}.',
    'Since {reason}, <cancel|abandon|withdraw> {order}.',
  ],
  return: [
    '<Return|Send back|Please return|Take back> {list} from {order}; <refund|credit> {pay}.',
    '<Return|I return> {order} via {pay}: {items}.',
    'I would like <my money back|a refund> for {list} in {order}, <paid to|sent to|on> {pay}.',
    '{order} has arrived. I am <returning|sending back|giving back> {items}, <refund to|money back to> {pay}.',
    'From {order} I <want to return|am going to return|would like to hand back> {items}. <The refund|The money> goes to {pay}.',
    '{order}, <not happy with it|it is not for me|a letdown>: <return|refund> {items}. Use {pay} for <that|the refund>.',
    'What came with {order} <goes|should go|has to go> back: {items}. Refund {pay}.',
  ],
  exchange: [
    'For {order}, <exchange|swap|switch> {swaps}; via {pay}.',
    '<Exchange|Swap|Replace|Trade> these from {order}: {swaps}. <Any difference|The price difference> goes on {pay}.',
    '{order} came, but I <want|would rather have|prefer> other <versions|variants|ones>: {swaps}. <Settle|Square> it with {pay}.',
    'I <want|would like> to <exchange|trade in> what I got in {order}: {swaps}, <paid by|using|via> {pay}.',
    'With {pay}, <exchange|swap|replace> in {order} {swaps}.',
    'Could I <have different ones|swap something|get an exchange> in {order}? {swaps}. {pay} <pays|covers> the rest.',
  ],
  modify_items: [
    'For {order}, <modify|change|swap|switch> {swaps}; via {pay}.',
    '<Modify|Change|Swap|Replace> these in {order}: {swaps}. <Any difference|The price difference> goes on {pay}.',
    'Before {order} ships, <change|switch|update> the items: {swaps}. <Settle|Square> it with {pay}.',
    'I picked the wrong <things|options> in {order}: <make it|change> {swaps}, <paid by|using|via> {pay}.',
    'With {pay}, <modify|swap|replace> in {order} {swaps}.',
    'Could I <still alter|swap something|get different ones> in {order}? {swaps}. {pay} <pays|covers> the rest.',
  ],
  modify_payment: [
    'For {order}, change <payment|the payment method> to {pay}.',
    '<Charge|Bill|Put> {order} <to|on> {pay}<| instead| from now on>.',
    'Use {pay} to pay for {order}.',
    '{order} should be <paid with|billed to|charged to> {pay}.',
    'I <want|would like> to <pay|settle> {order} <with|by> {pay}<| after all>.',
    'The payment of {order} <has to move|moves|must be switched> to {pay}.',
  ],
  modify_address: [
    'For {order}, change <address|the shipping address|the destination> to {address}.',
    '<Ship|Send|Deliver> {order} to {address}<| instead>.',
    '{order} <has the wrong address|would go to the wrong place>; it <should go to|belongs at> {address}.',
    'Where {order} <goes|is going> must change: <send|deliver> it to {address}.',
    'I will not be in when {order} comes, <reroute|redirect|forward> it to {address}.',
    'The <parcel|delivery> for {order} is to be <sent|delivered> to {address}.',
  ],
  modify_user_address: [
    '<Change|Update|Set> my default address to {address}.',
    'I have moved, so my profile address <is now|becomes|should be> {address}.',
    'Please <update|correct|replace> the address <on file|in my account|in my profile>: {address}.',
    'My account still shows an old address, <make it|change it to> {address}.',
  ],
};

/** Why an order is cancelled, for {@link REQUEST_PHRASES}. */
export const REASON_PHRASES: Readonly<Record<CancelReason, readonly string[]>> = {
  'no longer needed': [
    'no longer needed',
    'I no longer need it',
    "I don't need it any more",
    'I changed my mind',
    'I have no use for it now',
    'there is no need for it now',
  ],
  'ordered by mistake': [
    'ordered by mistake',
    'it was a mistake',
    'I ordered it by accident',
    'I placed it in error',
    'I clicked the wrong button',
    'I never meant to buy it',
  ],
};

/** How an order is named. */
export const ORDER_PHRASES = ['{id}', '{id}', 'order {id}', 'my order {id}', 'order number {id}'] as const;

/** Who writes, by what they give away. */
export const HEADER_PHRASES = {
  zip: [
    'My name is {name} and my zip code is {zip}.',
    'Hello, I am {name}, zip code {zip}.',
    'This is {name} from {city}; my zip is {zip}.',
    'Good morning! My name is {name}. I live in {city}, postal code {zip}.',
  ],
  email: [
    'My name is {name} and my email is {email}.',
    'Hi, this is {name}, registered with {email}.',
    'You know me as {email}.',
    'Hello, I am {name}. My account runs under {email}.',
  ],
  both: [
    'My name is {name}, email {email}, zip code {zip}.',
    'Hi! I am {name}. I think I signed up with {email}; my zip code is {zip}.',
    'This is {name}, {email}, postal code {zip}.',
  ],
} as const;

/** Signatures, for messages that do not start with who writes. */
export const SIGNATURE_PHRASES = {
  zip: ['Thanks, {name}, zip code {zip}.', 'My name is {name}, postal code {zip}.'],
  email: ['Reply to {email}.', 'This is {name}, {email}.'],
  both: ['Regards, {name}, {email}, zip code {zip}.'],
} as const;

/** Things people say that ask for nothing. */
export const SMALL_TALK = [
  'I hope you can help me.',
  'I have been a customer for years.',
  'I am in a bit of a hurry.',
  'Sorry for the long message.',
  'You were very helpful last time.',
  'I am writing from my phone.',
  'Let us keep this short.',
] as const;

/** What links two requests. */
export const LINKS = ['', '', '', '', 'Also, ', 'Then: ', 'Next, ', 'And another thing: ', 'Besides, '] as const;

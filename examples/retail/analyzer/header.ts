/** Who the customer says they are. */
export interface Header {
  email?: string;
  firstName?: string;
  lastName?: string;
  zip?: string;
}

const EMAIL = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/;
const ZIP = /\b(?:zip|post(?:al)?)[ -]?(?:code)?\b[^\d#]{0,20}(\d{5})\b/i;
const NAME =
  /\b(?:name is|name's|name:|i am|i'm|this is|it's|it is|signed,?|regards,?|thanks,?|yours,?|cheers,?)\s+(\p{Lu}[\p{L}'-]+)\s+(\p{Lu}[\p{L}'-]+)/iu;
// With the `i` flag \p{Lu} would match any letter, so the capitals are checked on their own.
const CAPITALISED = /^\p{Lu}/u;

/** Finds e-mail, name and zip code in the masked text of a message. */
export function readHeader(masked: string): Header {
  const header: Header = {};
  const email = EMAIL.exec(masked)?.[0];
  if (email !== undefined) header.email = email;
  const zip = ZIP.exec(masked)?.[1];
  if (zip !== undefined) header.zip = zip;
  for (const [, first, last] of masked.matchAll(new RegExp(NAME, 'giu'))) {
    if (first === undefined || last === undefined || !CAPITALISED.test(first) || !CAPITALISED.test(last)) continue;
    header.firstName = first;
    header.lastName = last;
    break;
  }
  return header;
}

/** Whether a piece says who the customer is rather than what they want. */
export function isAboutTheCustomer(masked: string): boolean {
  return EMAIL.test(masked) || ZIP.test(masked);
}

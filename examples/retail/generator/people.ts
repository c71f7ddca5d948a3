import type { Random } from 'millrace';
import type { Address, PaymentMethod, User } from '../world/records.ts';
import { between, chance, freshDigits, pick, shuffled, weighted } from './draw.ts';

const FIRST = (
  'Ada Alma Anton Bela Bruno Cleo Dario Edda Elif Emre Esther Felix Frida Gala Gregor Hana Hugo Ida Ilse Ines Iris Jana Jonas ' +
  'Jorge Kaya Kira Lars Leda Lena Linus Lotte Magnus Malik Marta Mats Milo Mira Nadia Nils Nora Odile Orla Otto Paula Petra ' +
  'Quentin Rhea Rosa Rufus Selma Signe Stella Tariq Tessa Thea Tove Udo Vera Viggo Wanda Xenia Ylva Yann Zora'
).split(' ');
const LAST = (
  'Abbott Adeyemi Almeida Arnesen Banerjee Barlow Bergmann Castel Cho Corbin Dalgaard Dufour Ekström Farrow Fielding Fontana ' +
  'Grimaldi Gupta Hallam Haugen Holloway Ibarra Iqbal Jansen Kaplan Keller Kimura Lacroix Larkin Lindgren Mancini Marsh Mbeki ' +
  'Mercer Nakamura Novak Okafor Olsen Ortega Pavlov Penrose Quist Radley Ramos Rask Ruiz Salazar Sato Seidel Soto Stone Tanaka ' +
  'Thorne Underhill Vance Vega Wagner Whitlock Yilmaz Zeller'
).split(' ');
const STREETS = (
  'Mill Lane;Orchard Street;Harbor Road;Quarry Street;Station Road;Ferry Lane;Linden Street;Foundry Road;Meadow Lane;Chapel Street;' +
  'Juniper Way;Canal Street;Summit Road;Willow Way;Market Street;Lighthouse Road;Granite Way;Beacon Lane'
).split(';');
const CITIES: readonly (readonly [city: string, state: string, zipPrefix: string])[] = [
  ['Duluth', 'MN', '558'],
  ['Boise', 'ID', '837'],
  ['Savannah', 'GA', '314'],
  ['Tacoma', 'WA', '984'],
  ['Madison', 'WI', '537'],
  ['Santa Fe', 'NM', '875'],
  ['Burlington', 'VT', '054'],
  ['Tulsa', 'OK', '741'],
  ['Omaha', 'NE', '681'],
  ['Eugene', 'OR', '974'],
  ['Buffalo', 'NY', '142'],
  ['Mobile', 'AL', '366'],
  ['Reno', 'NV', '895'],
  ['Lansing', 'MI', '489'],
  ['Portland', 'ME', '041'],
  ['El Paso', 'TX', '799'],
];
const UNITS = ['Apt', 'Suite', 'Unit', 'Floor'];

/** A random address. */
export function makeAddress(random: Random): Address {
  const [city, state, prefix] = pick(random, CITIES);
  return {
    address1: `${between(random, 2, 980)} ${pick(random, STREETS)}`,
    address2: chance(random, 0.7) ? `${pick(random, UNITS)} ${between(random, 1, 99)}` : '',
    city,
    country: 'USA',
    state,
    zip: `${prefix}${between(random, 10, 99)}`,
  };
}

/** Customers by id, without orders; ids, e-mail addresses and name with zip code are unique. */
export function makeUsers(random: Random, count: number): Record<string, User> {
  const users: Record<string, User> = {};
  const digits = new Set<string>();
  const households = new Set<string>();
  for (let made = 0; made < count;) {
    const name = { first_name: pick(random, FIRST), last_name: pick(random, LAST) };
    const address = makeAddress(random);
    const household = `${name.first_name} ${name.last_name} ${address.zip}`;
    if (households.has(household)) continue;
    households.add(household);
    const stem = `${name.first_name}_${name.last_name}`
      .toLowerCase()
      .normalize('NFD')
      .replace(/[^a-z_]/g, '');
    const number = freshDigits(random, 5, digits);
    users[`${stem}_${number}`] = {
      name,
      address,
      email: `${stem.replace('_', '.')}${between(random, 1, 99)}.${number}@example.org`,
      payment_methods: makePaymentMethods(random, digits),
      orders: [],
    };
    made += 1;
  }
  return users;
}

function makePaymentMethods(random: Random, digits: Set<string>): Record<string, PaymentMethod> {
  const count = 1 + weighted(random, [25, 45, 22, 8]);
  const sources = shuffled(random, ['credit_card', 'credit_card', 'gift_card', 'paypal'] as const).slice(0, count);
  const methods: Record<string, PaymentMethod> = {};
  for (const source of sources) {
    const id = `${source}_${freshDigits(random, 7, digits)}`;
    if (source === 'credit_card') {
      const brand = pick(random, ['visa', 'mastercard']);
      methods[id] = { source, id, brand, last_four: String(between(random, 1000, 9999)) };
    } else if (source === 'gift_card') methods[id] = { source, id, balance: between(random, 5, 900) };
    else methods[id] = { source, id };
  }
  return methods;
}

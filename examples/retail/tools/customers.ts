import { ToolError, z } from 'millrace';
import { addressSchema, type User } from '../world/records.ts';
import { findUser, shopTool } from './tool.ts';

/** Finding customers, and their profile. */

const userId = z.string().min(1).describe('id of the customer');

export const find_user_id_by_email = shopTool({
  description: 'Looks a customer up by e-mail address and gives the user id.',
  input: z.object({ email: z.string().min(1) }),
  run({ email }, database): string {
    const id = database.world.userByEmail(email);
    if (id === undefined) throw new ToolError('Nobody is registered with this e-mail address.');
    return id;
  },
});

export const find_user_id_by_name_zip = shopTool({
  description: 'Looks a customer up by first name, last name and zip code and gives the user id.',
  input: z.object({ first_name: z.string().min(1), last_name: z.string().min(1), zip: z.string().min(1) }),
  run({ first_name, last_name, zip }, database): string {
    const id = database.world.userByNameAndZip(first_name, last_name, zip);
    if (id === undefined) throw new ToolError('Nobody of this name is registered with this zip code.');
    return id;
  },
});

export const get_user_details = shopTool({
  description: "Shows a customer's profile: name, address, e-mail, payment methods and order ids.",
  input: z.object({ user_id: userId }),
  run({ user_id }, database): Readonly<User> {
    return findUser(database, user_id);
  },
});

export const modify_user_address = shopTool({
  description: "Replaces the address in a customer's profile; orders keep theirs.",
  input: z.object({ user_id: userId, ...addressSchema.shape }),
  run({ user_id, ...address }, database): Readonly<User> {
    findUser(database, user_id);
    const user = database.writableUser(user_id);
    user.address = address;
    return user;
  },
});

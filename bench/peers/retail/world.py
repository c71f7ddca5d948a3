"""The shop's records, and one flow's view of them."""


class ToolError(Exception):
    """A call that was wrong: the flow goes on and the policy answers for it."""


class World:
    """The shop before anything happens, with the indexes the tools need. Never written to."""

    def __init__(self, users, products, orders):
        self.users, self.products, self.orders = users, products, orders
        # Longest first, so that a longer name wins over one it contains.
        self.product_names = sorted((product["name"] for product in products.values()), key=lambda name: (-len(name), name))
        self.by_email = {user["email"].lower(): user_id for user_id, user in users.items()}
        self.by_name_and_zip = {
            name_and_zip(user["name"]["first_name"], user["name"]["last_name"], user["address"]["zip"]): user_id
            for user_id, user in users.items()
        }


def name_and_zip(first_name, last_name, zip_code):
    return f"{first_name}\n{last_name}\n{zip_code}".lower()


class Database:
    """Reads come from the world; a record is copied when it is first written, as deep as the tools write."""

    __slots__ = ("world", "_users", "_orders")

    def __init__(self, world):
        self.world = world
        self._users = {}
        self._orders = {}

    def user(self, user_id):
        return self._users.get(user_id) or self.world.users.get(user_id)

    def order(self, order_id):
        return self._orders.get(order_id) or self.world.orders.get(order_id)

    def product(self, product_id):
        return self.world.products.get(product_id)

    def writable_user(self, user_id):
        user = self._users.get(user_id)
        if user is None:
            base = self.world.users[user_id]
            methods = {method_id: dict(method) for method_id, method in base["payment_methods"].items()}
            user = self._users[user_id] = {**base, "payment_methods": methods}
        return user

    def writable_order(self, order_id):
        order = self._orders.get(order_id)
        if order is None:
            base = self.world.orders[order_id]
            items, payments = [dict(item) for item in base["items"]], list(base["payment_history"])
            order = self._orders[order_id] = {**base, "items": items, "payment_history": payments}
        return order

    def changes(self):
        """The records that differ from the world's now, by id. Ids of orders and users never meet."""
        changes = {}
        for written, base in ((self._orders, self.world.orders), (self._users, self.world.users)):
            for record_id, record in written.items():
                if record != base[record_id]:
                    changes[base is self.world.orders, record_id] = record
        return changes

"""What a flow remembers, and what of it the planner sees."""

from .world import Database

GLOBAL_TOOLS = ("auth_email", "auth_name_zip", "get_user", "transfer", "done")
CLAUSE_TOOLS = (
    *("get_order", "get_product", "cancel", "return", "exchange", "modify_items", "modify_payment", "modify_address"),
    "modify_user_address",
)
STATE_FEATURES = ("authenticated", "profile_loaded", "has_email", "has_zip", "auth_failed", "last_failed")
_STATUSES = ("pending", "processed", "delivered", "cancelled")
_LATER = ("products_loaded", "written", "failed_once", "failed_often", "last_failed", "sibling_open")
ITEM_FEATURES = ("order_loaded", *_STATUSES, "other_status", *_LATER)

# The first six flags of an item, by the status of its order.
_NOT_LOADED = bytes(6)
_BY_STATUS = {status: bytes([1, *(status == other for other in _STATUSES), 0]) for status in _STATUSES}
_OTHER_STATUS = bytes([1, 0, 0, 0, 0, 1])


class ClauseState:
    """What came of the work on one clause so far."""

    __slots__ = ("clause", "slots", "order_id", "written", "errors", "last_failed")

    def __init__(self, clause):
        self.clause = clause
        self.slots = clause.slots
        self.order_id = clause.slots.order_id
        self.written = False
        self.errors = 0
        self.last_failed = False


class Memory:
    """The message taken apart, the customer's session, what was looked up, a database of its own."""

    __slots__ = ("database", "header", "clauses", "user_id", "user_loaded", "orders", "products", "auth_failed", "last_failed")

    def __init__(self, analysis, world):
        self.database = Database(world)
        self.header = analysis.header
        self.clauses = [ClauseState(clause) for clause in analysis.clauses]
        self.user_id = None
        self.user_loaded = False
        self.orders = set()
        self.products = set()
        self.auth_failed = False
        self.last_failed = False

    def flags(self):
        """What the planner sees, a byte each: STATE_FEATURES, then ITEM_FEATURES of each clause."""
        header, database, orders = self.header, self.database, self.orders
        known, has_email, has_zip = self.user_id is not None, header.email is not None, header.zip is not None
        parts = [bytes((known, self.user_loaded, has_email, has_zip, self.auth_failed, self.last_failed))]
        for state in self.clauses:
            order = database.order(state.order_id) if state.order_id in orders else None
            parts.append(_NOT_LOADED if order is None else _BY_STATUS.get(order["status"], _OTHER_STATUS))
            errors = state.errors
            loaded = order is not None and self.has_products(state, order)
            parts.append(bytes((loaded, state.written, errors > 0, errors > 2, state.last_failed, self.has_open_sibling(state))))
        return b"".join(parts)

    def has_open_sibling(self, state):
        """Whether another clause about the same order is still to be worked on: not written, and nothing failed for it."""
        for index in state.clause.siblings:
            other = self.clauses[index]
            if not other.written and other.errors == 0:
                return True
        return False

    def has_products(self, state, order):
        """Whether the products of all items that a clause names were looked up; False when it names none of its order's."""
        names = [item.name for item in state.slots.items]
        found = False
        for line in order["items"]:
            if line["name"] in names:
                if line["product_id"] not in self.products:
                    return False
                found = True
        return found

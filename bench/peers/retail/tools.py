"""The tools of the shop that write. They check everything before they write, so that a failing call changes nothing."""

import math

from .slots import ADDRESS_FIELDS, CANCEL_REASONS
from .world import Database, ToolError


def cancel_pending_order(database, order_id, reason):
    found = _find_order(database, order_id, "pending")
    order = database.writable_order(order_id)
    for payment in found["payment_history"][:]:
        order["payment_history"].append({**payment, "transaction_type": "refund"})
        _settle(database, order["user_id"], payment["payment_method_id"], payment["amount"])
    order["status"] = "cancelled"
    order["cancel_reason"] = reason


def modify_pending_order_address(database, order_id, **address):
    _find_order(database, order_id, "pending")
    database.writable_order(order_id)["address"] = address


def modify_pending_order_payment(database, order_id, payment_method_id):
    found = _find_order(database, order_id, "pending")
    history = found["payment_history"]
    if len(history) != 1 or history[0]["transaction_type"] != "payment":
        raise ToolError(f"Order {order_id} was not paid in one payment, so its payment cannot be changed.")
    amount, before = history[0]["amount"], history[0]["payment_method_id"]
    if before == payment_method_id:
        raise ToolError(f"Order {order_id} is already paid with {payment_method_id}; choose another method.")
    _require_payment(_find_user(database, found["user_id"]), payment_method_id, amount)
    order = database.writable_order(order_id)
    order["payment_history"] += [
        {"transaction_type": "payment", "amount": amount, "payment_method_id": payment_method_id},
        {"transaction_type": "refund", "amount": amount, "payment_method_id": before},
    ]
    _settle(database, order["user_id"], payment_method_id, -amount)
    _settle(database, order["user_id"], before, amount)


def modify_pending_order_items(database, order_id, item_ids, new_item_ids, payment_method_id):
    found = _find_order(database, order_id, "pending")
    swaps, difference = _pair_swaps(database, found, item_ids, new_item_ids)
    _require_payment(_find_user(database, found["user_id"]), payment_method_id, difference)
    order = database.writable_order(order_id)
    kind = "payment" if difference > 0 else "refund"
    order["payment_history"].append(
        {"transaction_type": kind, "amount": abs(difference), "payment_method_id": payment_method_id}
    )
    _settle(database, order["user_id"], payment_method_id, -difference)
    left = list(order["items"])
    for old, new in swaps:
        at = next((i for i, line in enumerate(left) if line["item_id"] == old["item_id"]), None)
        if at is not None:
            left.pop(at).update(item_id=new["item_id"], price=new["price"], options=new["options"])
    order["status"] = "pending (item modified)"


def return_delivered_order_items(database, order_id, item_ids, payment_method_id):
    found = _find_order(database, order_id, "delivered")
    user = _find_user(database, found["user_id"])
    _require_payment(user, payment_method_id, 0)
    history = found["payment_history"]
    original = history[0]["payment_method_id"] if history else None
    if payment_method_id != original and user["payment_methods"][payment_method_id]["source"] != "gift_card":
        raise ToolError(f"A refund goes to {original or 'the original payment method'} or to a gift card.")
    _require_items(found, item_ids)
    order = database.writable_order(order_id)
    order["status"] = "return requested"
    order["return_items"] = sorted(item_ids)
    order["return_payment_method_id"] = payment_method_id


def exchange_delivered_order_items(database, order_id, item_ids, new_item_ids, payment_method_id):
    found = _find_order(database, order_id, "delivered")
    _, difference = _pair_swaps(database, found, item_ids, new_item_ids)
    _require_payment(_find_user(database, found["user_id"]), payment_method_id, difference)
    order = database.writable_order(order_id)
    order["status"] = "exchange requested"
    order["exchange_items"] = sorted(item_ids)
    order["exchange_new_items"] = sorted(new_item_ids)
    order["exchange_payment_method_id"] = payment_method_id
    order["exchange_price_difference"] = difference


def modify_user_address(database, user_id, **address):
    _find_user(database, user_id)
    database.writable_user(user_id)["address"] = address


_TEXT = lambda value: isinstance(value, str) and value != ""
_STRING = lambda value: isinstance(value, str)
_LIST = lambda value: isinstance(value, list) and len(value) > 0 and all(isinstance(each, str) for each in value)
_ITEMS = {"order_id": _TEXT, "item_ids": _LIST, "payment_method_id": _TEXT}
_SWAPS = {**_ITEMS, "new_item_ids": _LIST}
_ADDRESS = {name: _STRING for name in ADDRESS_FIELDS}
# What each tool takes, and what its arguments must be.
_WRITES = {
    cancel_pending_order: {"order_id": _TEXT, "reason": lambda value: value in CANCEL_REASONS},
    modify_pending_order_address: {"order_id": _TEXT, **_ADDRESS},
    modify_pending_order_payment: {"order_id": _TEXT, "payment_method_id": _TEXT},
    modify_pending_order_items: _SWAPS,
    return_delivered_order_items: _ITEMS,
    exchange_delivered_order_items: _SWAPS,
    modify_user_address: {"user_id": _TEXT, **_ADDRESS},
}
_BY_NAME = {tool.__name__: (tool, inputs) for tool, inputs in _WRITES.items()}


def gold_changes(world, actions):
    """What a task's gold calls change. A failing call changes nothing, and neither does a tool that reads."""
    database = Database(world)
    for action in actions:
        tool, inputs = _BY_NAME.get(action["name"], (None, {}))
        given = action["arguments"]
        if tool is None or not all(name in given and fits(given[name]) for name, fits in inputs.items()):
            continue
        try:
            tool(database, **{name: given[name] for name in inputs})
        except ToolError:
            pass
    return database.changes()


def _find_order(database, order_id, status):
    order = database.order(order_id)
    if order is None:
        raise ToolError(f"There is no order {order_id}.")
    if order["status"] != status:
        raise ToolError(f"Order {order_id} is {order['status']}; it must be {status} for this.")
    return order


def _find_user(database, user_id):
    user = database.user(user_id)
    if user is None:
        raise ToolError(f"There is no user {user_id}.")
    return user


def _require_payment(user, method_id, amount):
    method = user["payment_methods"].get(method_id)
    if method is None:
        raise ToolError(f"The customer has no payment method {method_id}.")
    if method["source"] == "gift_card" and method["balance"] < amount:
        raise ToolError(f"Gift card {method_id} holds {method['balance']}, which does not cover {amount}.")


def _require_items(order, item_ids):
    held = [item["item_id"] for item in order["items"]]
    for item_id in item_ids:
        if item_ids.count(item_id) > held.count(item_id):
            raise ToolError(f"Order {order['order_id']} does not hold item {item_id} that often.")


def _pair_swaps(database, order, item_ids, new_item_ids):
    """Pairs of a line and the variant that replaces it, and what they cost more."""
    _require_items(order, item_ids)
    if len(item_ids) != len(new_item_ids):
        raise ToolError(f"{len(item_ids)} items cannot be replaced by {len(new_item_ids)}; give one replacement for each.")
    swaps, difference = [], 0
    for item_id, new_id in zip(item_ids, new_item_ids):
        old = next(item for item in order["items"] if item["item_id"] == item_id)
        variant = (database.product(old["product_id"]) or {"variants": {}})["variants"].get(new_id)
        if variant is None:
            raise ToolError(f"Item {new_id} is not a variant of {old['name']}.")
        if not variant["available"]:
            raise ToolError(f"Item {new_id} is not available.")
        difference += variant["price"] - old["price"]
        swaps.append((old, variant))
    return swaps, _cents(difference)


def _settle(database, user_id, method_id, amount):
    """Adds to a gift card's balance; other methods are settled outside the shop."""
    user = database.user(user_id)
    method = user and user["payment_methods"].get(method_id)
    if method and method["source"] == "gift_card":
        card = database.writable_user(user_id)["payment_methods"][method_id]
        card["balance"] = _cents(card["balance"] + amount)


def _cents(amount):
    """Dollars in whole cents, halves up."""
    hundredfold = amount * 100
    below = math.floor(hundredfold)
    return (below + (hundredfold - below >= 0.5)) / 100

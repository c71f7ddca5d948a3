"""The planner's actions: tools of the shop with their arguments filled in from a clause and the records looked up so far."""

from . import tools
from .world import ToolError, name_and_zip


def auth_email(memory, _):
    if memory.header.email is None:
        raise ToolError("The customer gave no e-mail address.")
    return _known(memory.database.world.by_email.get(memory.header.email.lower()))


def auth_name_zip(memory, _):
    header = memory.header
    if header.first_name is None or header.last_name is None or header.zip is None:
        raise ToolError("The customer did not give name and zip code.")
    return _known(memory.database.world.by_name_and_zip.get(name_and_zip(header.first_name, header.last_name, header.zip)))


def get_user(memory, _):
    return memory.database.user(_authenticated(memory))


def transfer(memory, _):
    return "transferred"


def done(memory, _):
    return "done"


def get_order(memory, state):
    order_id = _order_id_of(memory, state)
    order = memory.database.order(order_id)
    if order is None:
        raise ToolError(f"There is no order {order_id}.")
    if order["user_id"] != memory.user_id:
        raise ToolError(f"Order {order_id} was placed by somebody else.")
    return order


def get_product(memory, state):
    products = [memory.database.product(line["product_id"]) for line in _lines_of(memory, state)]
    if None in products:
        raise ToolError("There is no such product.")
    return products


def cancel(memory, state):
    order = _order_of(memory, state)
    if state.slots.reason is None:
        raise ToolError("This request gives no reason to cancel.")
    return tools.cancel_pending_order(memory.database, order["order_id"], state.slots.reason)


def return_items(memory, state):
    lines = [line["item_id"] for line in _lines_of(memory, state)]
    return tools.return_delivered_order_items(memory.database, state.order_id, lines, _payment_of(memory, state))


def exchange(memory, state):
    lines, variants = _swaps_of(memory, state)
    payment = _payment_of(memory, state)
    return tools.exchange_delivered_order_items(memory.database, state.order_id, lines, variants, payment)


def modify_items(memory, state):
    lines, variants = _swaps_of(memory, state)
    payment = _payment_of(memory, state)
    return tools.modify_pending_order_items(memory.database, state.order_id, lines, variants, payment)


def modify_payment(memory, state):
    order = _order_of(memory, state)
    return tools.modify_pending_order_payment(memory.database, order["order_id"], _payment_of(memory, state))


def modify_address(memory, state):
    order = _order_of(memory, state)
    return tools.modify_pending_order_address(memory.database, order["order_id"], **_address_of(memory, state))


def modify_user_address(memory, state):
    return tools.modify_user_address(memory.database, _authenticated(memory), **_address_of(memory, state))


def _known(user_id):
    if user_id is None:
        raise ToolError("Nobody is registered like this.")
    return user_id


def _authenticated(memory):
    if memory.user_id is None:
        raise ToolError("Find out who the customer is first.")
    return memory.user_id


def _order_id_of(memory, state):
    _authenticated(memory)
    if state.order_id is None:
        raise ToolError("This request names no order.")
    return state.order_id


def _order_of(memory, state):
    """The order a clause is about, which must have been looked up."""
    order_id = _order_id_of(memory, state)
    if order_id not in memory.orders:
        raise ToolError(f"Look order {order_id} up first.")
    return memory.database.order(order_id)


def _profile(memory):
    if not memory.user_loaded:
        raise ToolError("Look the customer's profile up first.")
    return memory.database.user(_authenticated(memory))


def _lines_of(memory, state):
    """The lines of the order that a clause's items mean, one each."""
    order = _order_of(memory, state)
    if not state.slots.items:
        raise ToolError("This request names no items.")
    left, lines = list(order["items"]), []
    for item in state.slots.items:
        for index, line in enumerate(left):
            if line["name"] == item.name and _agrees(line["options"], item.given):
                lines.append(left.pop(index))
                break
        else:
            raise ToolError(f"Order {order['order_id']} holds no such {item.name}.")
    return lines


def _agrees(options, wanted):
    return wanted is None or all(options.get(name) == value for name, value in wanted.items())


def _swaps_of(memory, state):
    """Item ids of a clause's items and of what they should become. The products must have been looked up."""
    lines, variants = _lines_of(memory, state), []
    for line, item in zip(lines, state.slots.items):
        if item.wanted is None:
            raise ToolError(f"This request does not say what to replace {line['name']} by.")
        if line["product_id"] not in memory.products:
            raise ToolError(f"Look the product {line['name']} up first.")
        variants.append(_variant_with(memory.database.product(line["product_id"]), {**line["options"], **item.wanted}))
    return [line["item_id"] for line in lines], variants


def _variant_with(product, options):
    """The variant with these options, an available one if there is a choice."""
    matching = [variant for variant in product["variants"].values() if variant["options"] == options]
    if not matching:
        raise ToolError(f"{product['name']} does not come with these options.")
    return next((variant for variant in matching if variant["available"]), matching[0])["item_id"]


def _payment_of(memory, state):
    """The id of the payment method a clause names."""
    payment = state.slots.payment
    if payment is None:
        raise ToolError("This request names no payment method.")
    if payment.id is not None:
        return payment.id
    if payment.source is None:
        history = _order_of(memory, state)["payment_history"]
        if not history:
            raise ToolError("This order was never paid.")
        return history[0]["payment_method_id"]
    matching = [
        method["id"]
        for method in _profile(memory)["payment_methods"].values()
        if method["source"] == payment.source and (payment.last_four is None or method.get("last_four") == payment.last_four)
    ]
    if len(matching) != 1:
        raise ToolError(f"The customer has {len(matching)} payment methods of this description.")
    return matching[0]


def _address_of(memory, state):
    address = state.slots.address
    if address is None:
        raise ToolError("This request gives no address.")
    return _profile(memory)["address"] if address == "profile" else address

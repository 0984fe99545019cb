"""What the bot may do in the sample shop. Each function here is the body of a transaction."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from bot.domain.customers import CustomerId, OrderNumber, OrderNumberForm
from bot.domain.ports import CommandResult
from bot.store.sample_shop import schema

CANCEL_ORDER = "cancel_order"
#: The statuses in which nothing has left the shop.
_CHANGEABLE = ("placed", "packed")
_REFUSALS = {
    "shipped": "it has already left our shop",
    "delivered": "it has already been delivered",
    "cancelled": "it was already cancelled",
}
_NOT_YOURS = "there is no such order of yours"


def execute(connection: Connection, name: str, arguments: dict[str, object], key: str) -> CommandResult:
    """Do `cancel_order` with the arguments `order_number` and `customer_id`, once for each key.

    The same key again gives the first answer and does nothing, whatever the arguments are then.
    """
    done = schema.executed_commands
    earlier = connection.execute(select(done.c.is_done, done.c.reason).where(done.c.key == key)).one_or_none()
    if earlier is not None:
        return CommandResult(is_done=earlier.is_done, reason=earlier.reason)
    if name != CANCEL_ORDER:
        return CommandResult(is_done=False, reason="our shop system has no such command")
    number = OrderNumberForm().read(str(arguments.get("order_number") or ""))
    customer = arguments.get("customer_id")
    if number is None or not isinstance(customer, str):
        return CommandResult(is_done=False, reason=_NOT_YOURS)
    result = cancel_order(connection, number, CustomerId(customer))
    connection.execute(
        insert(done).values(
            key=key,
            name=name,
            order_number=number,
            customer_id=customer,
            is_done=result.is_done,
            reason=result.reason,
        )
    )
    return result


def cancel_order(connection: Connection, number: OrderNumber, customer_id: CustomerId) -> CommandResult:
    """Cancel this customer's order if nothing of it has left the shop, and say why not otherwise."""
    orders, shipments = schema.orders, schema.shipments
    is_theirs = (orders.c.number == number) & (orders.c.customer_id == customer_id)
    order = connection.execute(select(orders.c.id, orders.c.status).where(is_theirs).with_for_update()).one_or_none()
    if order is None:
        return CommandResult(is_done=False, reason=_NOT_YOURS)
    if order.status not in _CHANGEABLE:
        return CommandResult(is_done=False, reason=_REFUSALS[order.status])
    connection.execute(update(orders).where(is_theirs).values(status="cancelled"))
    connection.execute(delete(shipments).where(shipments.c.order_id == order.id))
    return CommandResult(is_done=True)


def replay(connection: Connection) -> None:
    """Do again everything that was done, on records that were just made anew.

    An order's status depends on its age, not on the day, so whatever could be cancelled then can be cancelled now.
    """
    done = schema.executed_commands
    for row in connection.execute(select(done).where(done.c.is_done, done.c.name == CANCEL_ORDER)).all():
        cancel_order(connection, OrderNumber(row.order_number), CustomerId(row.customer_id))

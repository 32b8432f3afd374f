"""What of a user's history is summed up in few bytes: the part of the record that profile features read."""

from __future__ import annotations

import msgspec


class Habits(msgspec.Struct, array_like=True):
    """Decayed sums, the latest orders and the latest opinions of one user; operators/habits.py keeps them.

    `since` and `landmark` are times in whole seconds: of the first event, and the one as of which the sums are
    held. `cells` are the sums that are not 0: a 32-bit mask of which they are, little-endian, then one
    float32 each (operators/habit_cells.py). `cart` tells of the latest session: 1 where something was put
    into the cart, plus 2 where something was bought. `orders` are the newest orders, `opinions` the newest
    likes, dislikes and ratings (operators/orders.py, operators/feedback.py).
    """

    since: int = 0
    landmark: int = 0
    cells: bytes = b""
    cart: int = 0
    orders: bytes = b""
    opinions: bytes = b""

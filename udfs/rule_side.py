"""Context rules in Redis: the newest record of each, and the word to every worker that it has changed."""

from __future__ import annotations

from operators.context_rules import decode_rule, encode_rule
from udfs.told_side import ToldSide

_RULES = ToldSide(lambda names: names.rules, decode_rule, encode_rule)

write_rule = _RULES.write
stored_rules = _RULES.stored

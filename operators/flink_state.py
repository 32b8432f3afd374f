"""Flink's keyed state for stored bytes, and which subtask this is."""

from __future__ import annotations

from pyflink.common import Time, Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor


def bytes_state(name: str, ttl: StateTtlConfig) -> ValueStateDescriptor:
    """One value of bytes a key."""
    # PRIMITIVE_ARRAY(BYTE) cannot be read in thread mode while it is empty; bytes pickle cheaply.
    descriptor = ValueStateDescriptor(name, Types.PICKLED_BYTE_ARRAY())
    descriptor.enable_time_to_live(ttl)
    return descriptor


def kept_for(days: int) -> StateTtlConfig:
    """State that ends when it was not written for `days`."""
    # The default clean-up asks the client's gateway, which a TaskManager does not have.
    return (
        StateTtlConfig.new_builder(Time.days(days))
        .set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)
        .disable_cleanup_in_background()
        .cleanup_incrementally(5, False)
        .cleanup_in_rocksdb_compact_filter(1000, "unused")
        .build()
    )


def subtask_of(context: RuntimeContext) -> int:
    """The number of this parallel instance, from 0."""
    # PyFlink's own method asks for one that Flink 2 no longer has.
    return int(context._runtime_context.getTaskInfo().getIndexOfThisSubtask())

"""What the bus raises, and how the client's errors are read.

BusError
├── BusUnavailable    not acknowledged in time; it may still arrive, so it is safe to send it again
├── RecordTooLarge    the bus will never take this record
├── TopicMismatch     a topic exists with settings under which a guarantee would not hold
└── ConsumerLost      the consumer cannot go on in this process: leave, and let a supervisor restart
    └── ConsumerStalled   … because records wait and nothing moves
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Final

from aiokafka import errors as kafka


class BusError(Exception):
    """Base of all."""


class BusUnavailable(BusError):  # noqa: N818 - a state, not a mistake
    """Not acknowledged; `args[0]` says why."""


class RecordTooLarge(BusError):  # noqa: N818
    """Larger than the bus takes."""


class TopicMismatch(BusError):  # noqa: N818
    """A topic is weaker than what we promise."""


class ConsumerLost(BusError):  # noqa: N818
    """Leave the process."""


class ConsumerStalled(ConsumerLost):
    """Records wait, nothing moves."""


class SendFault(Enum):
    """What a failed send says about the producer."""

    too_large = "the record is larger than the client may send"
    poisoned = "this client will never send again"
    transient = "the bus did not take it this time"


POISONED: Final = (
    kafka.OutOfOrderSequenceNumber,
    kafka.LeaderNotAvailableError,
    kafka.NotLeaderForPartitionError,
    kafka.ProducerFenced,
    kafka.InvalidProducerEpoch,
    kafka.InvalidProducerIdMapping,
    kafka.UnknownProducerId,
    kafka.DuplicateSequenceNumber,
    kafka.ProducerClosed,
    kafka.InvalidTxnState,
    kafka.IllegalOperation,
)
"""After any of these the idempotent client's sequence numbers no longer fit the broker's: every later send
on that partition fails. A new client works at once; resending may double, event ids take care of that."""


def classify_send(error: BaseException, seen_by_broker: bool = True) -> SendFault:
    """`seen_by_broker`: the record had left the client. A broker that finds a record too large has
    lost a sequence number with it, so that client is poisoned; the client's own refusal costs nothing."""
    if isinstance(error, kafka.MessageSizeTooLargeError):
        return SendFault.poisoned if seen_by_broker else SendFault.too_large
    if isinstance(error, POISONED):
        return SendFault.poisoned
    if isinstance(error, kafka.KafkaError | TimeoutError | OSError | asyncio.CancelledError):
        return SendFault.transient
    return SendFault.poisoned  # the sender's own task died of it: nothing more will leave


OWNERSHIP_LOST: Final = (
    kafka.CommitFailedError,
    kafka.IllegalStateError,
    kafka.IllegalGenerationError,
    kafka.UnknownMemberIdError,
    kafka.RebalanceInProgressError,
)
"""A rebalance ran while the batch was processed: somebody else has these partitions now."""


class CommitFault(Enum):
    """What a failed commit means."""

    ownership_lost = "drop the batch, poll again"
    not_now = "the next commit says the same and more"
    fatal = "leave the process"


def classify_commit(error: BaseException) -> CommitFault:
    """Commits are copies of the database's progress, so a lost one costs nothing but repetition."""
    if isinstance(error, OWNERSHIP_LOST):
        return CommitFault.ownership_lost
    if isinstance(error, kafka.GroupAuthorizationFailedError | kafka.TopicAuthorizationFailedError):
        return CommitFault.fatal
    if isinstance(error, kafka.KafkaError | TimeoutError | OSError):
        return CommitFault.not_now
    return CommitFault.fatal

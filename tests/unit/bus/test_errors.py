"""Which fault of the client means what: each row of the tables a case."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import errors as kafka

from shared.bus.errors import CommitFault, SendFault, classify_commit, classify_send


@pytest.mark.parametrize(
    ("error", "seen_by_broker", "fault"),
    [
        # After these the idempotent client's sequence numbers no longer fit the broker's.
        (kafka.OutOfOrderSequenceNumber(), True, SendFault.poisoned),
        (kafka.LeaderNotAvailableError(), True, SendFault.poisoned),
        (kafka.NotLeaderForPartitionError(), True, SendFault.poisoned),
        (kafka.ProducerFenced(), True, SendFault.poisoned),
        (kafka.InvalidProducerEpoch(), True, SendFault.poisoned),
        (kafka.UnknownProducerId(), True, SendFault.poisoned),
        (kafka.ProducerClosed(), False, SendFault.poisoned),
        # The same refusal costs a sequence number when the broker says it, and nothing when the client does.
        (kafka.MessageSizeTooLargeError(), True, SendFault.poisoned),
        (kafka.MessageSizeTooLargeError(), False, SendFault.too_large),
        # The next attempt may do.
        (kafka.KafkaTimeoutError(), False, SendFault.transient),
        (kafka.RequestTimedOutError(), True, SendFault.transient),
        (kafka.NotEnoughReplicasError(), True, SendFault.transient),
        (kafka.KafkaConnectionError(), True, SendFault.transient),
        (kafka.TopicAuthorizationFailedError(), True, SendFault.transient),
        (TimeoutError(), True, SendFault.transient),
        (ConnectionResetError(), True, SendFault.transient),
        (asyncio.CancelledError(), True, SendFault.transient),
        # The sender's task died of a bug: nothing more will leave this client.
        (AssertionError(), True, SendFault.poisoned),
        (KeyError("batch"), True, SendFault.poisoned),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_what_a_failed_send_says_about_the_client(
    error: BaseException, seen_by_broker: bool, fault: SendFault
) -> None:
    assert classify_send(error, seen_by_broker) is fault


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        # A rebalance ran in the background: the new owner has the partitions and their records.
        (kafka.CommitFailedError(), CommitFault.ownership_lost),
        (kafka.IllegalStateError(), CommitFault.ownership_lost),
        (kafka.IllegalGenerationError(), CommitFault.ownership_lost),
        (kafka.UnknownMemberIdError(), CommitFault.ownership_lost),
        (kafka.RebalanceInProgressError(), CommitFault.ownership_lost),
        # A later commit says the same and more.
        (TimeoutError(), CommitFault.not_now),
        (ConnectionResetError(), CommitFault.not_now),
        (kafka.GroupCoordinatorNotAvailableError(), CommitFault.not_now),
        (kafka.NotCoordinatorForGroupError(), CommitFault.not_now),
        (kafka.RequestTimedOutError(), CommitFault.not_now),
        (kafka.KafkaConnectionError(), CommitFault.not_now),
        # Trying again here cannot help.
        (kafka.GroupAuthorizationFailedError("g"), CommitFault.fatal),
        (kafka.TopicAuthorizationFailedError("t"), CommitFault.fatal),
        (TypeError(), CommitFault.fatal),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_what_a_failed_commit_means(error: BaseException, fault: CommitFault) -> None:
    assert classify_commit(error) is fault

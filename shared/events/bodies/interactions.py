"""Tickets, chats and calls, and what customers tried by themselves."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from shared.events import vocabulary as v
from shared.events.bodies.base import Body, Flag, Key, Number, PriorityField, Ref, Reference, Text, Texts


class Promises(Body, frozen=True, omit_defaults=True):
    """What this one customer was told: instants, RFC 3339."""

    first_response_at: Text = UNSET
    solution_at: Text = UNSET


class InteractionOpened(Body, frozen=True, omit_defaults=True):
    interaction: Key
    subject: Text = UNSET
    text: Text = UNSET
    priority: PriorityField = UNSET
    tags: Texts = UNSET
    team: Text = UNSET
    follows: Ref = UNSET
    promises: Promises | None | UnsetType = UNSET
    author_identifiers: Texts = UNSET


class InteractionUpdated(InteractionOpened, frozen=True, omit_defaults=True):
    """Any field of the opening again; what is absent stays as it was."""


class InteractionMessage(Body, frozen=True, omit_defaults=True):
    interaction: Key
    message: Key
    author: v.Actor
    public: bool
    text: Text = UNSET
    agent: Text = UNSET
    team: Text = UNSET
    author_identifiers: Texts = UNSET


class InteractionStatusChanged(Body, frozen=True, omit_defaults=True):
    interaction: Key
    status: v.InteractionStatus
    previous: v.InteractionStatus | None | UnsetType = UNSET
    until: Text = UNSET
    waited_s: Number = UNSET
    answered: Flag = UNSET


class InteractionHandover(Body, frozen=True, omit_defaults=True):
    interaction: Key
    from_: Text = msgspec.field(default=UNSET, name="from")
    to: Text = UNSET
    reason: v.HandoverReason | None | UnsetType = UNSET


class InteractionMerged(Body, frozen=True, omit_defaults=True):
    interaction: Key
    into: Key | Reference


class InteractionRemoved(Body, frozen=True, omit_defaults=True):
    interaction: Key
    reason: v.RemovalReason


class SelfserviceAttempted(Body, frozen=True, omit_defaults=True):
    attempt: Key
    query: Text = UNSET
    article: Text = UNSET
    helped: Flag = UNSET

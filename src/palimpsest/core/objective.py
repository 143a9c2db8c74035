"""The objective: a sum of terms becomes one forward pass, a loss and its parts.

L_k(θ) = Σᵢ wᵢ(k) · E_{q ~ Sᵢ} dᵢ(f_θ(q), Tᵢ(q))
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from palimpsest.core.batch import Batch
from palimpsest.core.images import Images, Noised, concatenate
from palimpsest.core.random import Random
from palimpsest.core.term import Learner, Source, Term

Question = Images | Noised
Asked = dict[tuple[Source, str], Question]  # by source and head


def objective(terms: Sequence[Term], student: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted loss of one step (a scalar with gradient) and the detached, unweighted loss of each term.

    terms: those that are present.  student: a `term.Learner`, bare or wrapped for many processes.
    Under several processes each one's loss is its share times the number of processes, so that the mean of the
    gradients over processes is the gradient of the global mean.
    """
    learner = getattr(student, "module", student)  # under a distributed wrapper
    asked = pose([term for term in terms if term.target.head], learner, batch)
    said = ask(student, asked)
    parts = {
        term.name: value(term, asked, said) * batch.world if term.target.head else term.target.penalty(learner)
        for term in terms
    }
    loss = sum(term.weight * parts[term.name] for term in terms)
    return loss, {name: part.detach() for name, part in parts.items()}


def pose(terms: Sequence[Term], learner: Learner, batch: Batch) -> Asked:
    """Rule 1: each source is drawn once, and becomes one question for each head that is asked about it."""
    drawn = {source: source.draw(batch) for source in dict.fromkeys(term.source for term in terms)}
    pairs = dict.fromkeys((term.source, term.target.head) for term in terms)
    return {
        (source, head): learner.pose(head, drawn[source], noise(source, drawn[source], batch)) for source, head in pairs
    }


def noise(source: Source, drawn: Question, batch: Batch) -> Random:
    """The numbers with which a source's pictures are noised, cut for this process as the pictures are."""
    return replace(batch.random(source.name, "noise"), whole=getattr(drawn, "whole", 0) or batch.rows)


def ask(student: nn.Module, asked: Asked) -> Mapping[tuple[Source, str], Tensor]:
    """One forward pass: the questions to a head are concatenated, asked once, and the answer is cut up again."""
    heads: dict[str, list[Source]] = {}
    for source, head in asked:
        heads.setdefault(head, []).append(source)
    answers = student({h: concatenate([asked[s, h] for s in sources]) for h, sources in heads.items()})
    return {
        (source, head): piece
        for head, sources in heads.items()
        for source, piece in zip(sources, answers[head].split([len(asked[s, head]) for s in sources]), strict=True)
    }


def value(term: Term, asked: Asked, said: Mapping[tuple[Source, str], Tensor]) -> Tensor:
    """This process's share of the mean of a term's distances over the global batch; 0 over no samples."""
    place = term.source, term.target.head
    with torch.no_grad():
        wanted = term.target.answer(asked[place])
    losses = term.target.distance(said[place], wanted, asked[place])
    return losses.sum() / max(asked[place].total, 1)

"""GFR: what is replayed are features and not pictures."""

from palimpsest.core.term import Phase, Term
from palimpsest.sources import Featured
from palimpsest.strategies import strategy
from palimpsest.targets import OwnLoss, judged, label


@strategy(keeps={"teacher"}, learners=("classifier", "feature_gan"))
def gfr(
    now,
    past,
    *,
    distillation: float = 11.0,
    alignment: float = 0.128,
    critic_steps: int = 5,
    gan_steps: int = 0,
):
    """Replay features that a generator makes, and keep what is seen in new pictures as it was (Liu et al. 2020, arXiv 2004.09199).

    L_k = 1/k · E_data CE(y, f_θ)  +  (1 − 1/k) · E_{y, G(z, y)} CE(y, H_θ)  +  λ (k − 1) · E_data ‖F_θ − F_teacher‖₂

    Then a conditional WGAN-GP learns the new features, and is held to what it made of old classes:
    critic and generator on F_θ(x), and a (k − 1) · E_{z, y} ‖G(z, y) − G_teacher(z, y)‖². Of our making, where nothing is
    known of the published code: classes are told one-hot to generator and critic, features end in a softplus, features of the last task
    are learnt, too, and cross-entropies are over all of the stream's classes. In later tasks the classifier learns in evaluation
    mode, as there: without dropout, and with the statistics of the first task's batches.

    distillation: λ (published: 1; 11 of the mean norm here is 1 of one norm over 128 pictures, as which we read it)
    alignment: a (published: 0.001 of a sum; 0.128 of the mean here is that of a batch of 128, as which we read it)
    critic_steps: steps of the critic for each of the generator (published: 5)
    gan_steps: steps of the generator's phase; 0: as the experiment has it
    """
    before = now.k - 1
    replayed, seen = past.features(), past.classifier.features
    classifier = yield Phase(
        "classifier",
        [
            Term(now.data, label, now.new),
            Term(replayed, judged, now.old),
            Term(now.data, seen, distillation * before),
        ],
        in_evaluation=before > 0,
    )
    real = Featured(now.data, classifier.learner)
    if not now.data.exists:  # a round: there are no features to learn
        return
    codes, made = past.codes(), past.teacher("feature_gan").made
    yield Phase(
        "feature_gan",
        [
            Term(real, OwnLoss("critic")),
            Term(real, OwnLoss("generator"), every=critic_steps),
            Term(codes, made, alignment * before, every=critic_steps),
        ],
        name="generator of features",
        steps=gan_steps,
    )

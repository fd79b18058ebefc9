"""One process of a training that several share: writes down the weights that it came to."""

import sys
from pathlib import Path

from safetensors.torch import save_file

from tests.training.tiny import examples
from training.corpus import Corpus, read_corpus
from training.network import full, ranks
from training.options import TrainOptions


def main(out: Path, encoder: str) -> None:
    """Train as the first process or as one that helps it."""

    def keep(corpus: Corpus, dev: Corpus | None, options: TrainOptions) -> None:
        network = full._trained(corpus, dev, options)[0].network
        save_file(network.state_dict(), out / f"{ranks.number()}-of-{ranks.count()}")

    ranks.join()
    if ranks.number():
        for course in ranks.follow():
            keep(*course)
        return
    corpus = read_corpus(examples())
    options = TrainOptions(encoder=encoder, threads=1, epochs=2)
    with ranks.leading(corpus, None, options):
        keep(corpus, None, options)
    ranks.dismiss()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""Which hyphens at line ends are kept, and which words are joined."""

import pytest

from dunegpt.ingest.extract.line_hyphens import Vocabulary, is_english, join_cut_words


def join(text: str, *pages: str) -> str:
    vocabulary = Vocabulary()
    for page in (*pages, text):
        vocabulary.add(page)
    return join_cut_words(text, vocabulary)


@pytest.mark.parametrize("mark", ["-\n", "\ufffe", "\ufffe\n"])
@pytest.mark.parametrize(
    "word",
    "low-noise long-baseline test-beam self-triggered t-test K-line NP-02 PT-100"
    " signal-to time-of so-called liquid-argon cross-section LAr-TPC Proto-DUNE"
    " argon-based Geant-based two-body ten-year".split(),
)
def test_real_hyphens_are_kept(word: str, mark: str) -> None:
    left, _, right = word.partition("-")
    assert join(f"the {left}{mark}{right} is") == f"the {word} is"


@pytest.mark.parametrize("mark", ["-\n", "\ufffe", "\xad\n"])
@pytest.mark.parametrize(
    "word",
    "detec-tor scintil-lation in-formation para-meter over-view cryo-stat non-linear"
    " re-calibrated impuri-ties wave-length DETEC-TOR ther-mometers am-plifier"
    " preampli-fiers multi-plexer".split(),
)
def test_cut_words_are_joined(word: str, mark: str) -> None:
    left, _, right = word.partition("-")
    assert join(f"the {left}{mark}{right} is") == f"the {left}{right} is"


def test_the_document_decides() -> None:
    assert join("a cold-\nbox stands", "The coldbox is new.") == "a coldbox stands"
    assert join("a cold-\nbox stands", "The cold-box is new.") == "a cold-box stands"
    assert join("with Vis-\nTrails we", "VisTrails is new.") == "with VisTrails we"
    assert join("a pho-\ntoxel is") == "a photoxel is"


def test_chains_and_addresses_keep_their_hyphens() -> None:
    assert join("a state-of-the-\nart tool") == "a state-of-the-art tool"
    assert join("a signal-\nto-noise ratio") == "a signal-to-noise ratio"
    assert join("see a.org/old-\nrack") == "see a.org/old-rack"
    assert join("from 3-\n5 days") == "from 3-5 days"


def test_a_number_joins_a_word_but_not_its_part() -> None:
    assert join("with argon-\n39 inside") == "with argon-39 inside"
    assert join("of ProtoDUNE-\n2 as") == "of ProtoDUNE-2 as"
    assert join("of the thermom-\n12 May: draft") == "of the thermom-\n12 May: draft"


def test_no_hyphen_is_lost() -> None:
    assert join("pre\ufffe\n(or post) and \ufffe5") == "pre-\n(or post) and -5"


def test_a_soft_hyphen_is_none() -> None:
    assert join("the K\xe4lte\xadanlage") == "the K\xe4lteanlage"


def test_english_words_have_endings() -> None:
    assert all(map(is_english, ["voltage", "voltages", "stopped", "carries"]))
    assert not is_english("highvoltage")

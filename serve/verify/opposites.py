"""Pairs of words that exclude each other, as data: open and closed, north and south.

Each line, with those indented below it, is an axis; each group of words between slashes
is one of its poles. What stands at one pole in a source is not at another one in a true
sentence about the same thing. Words are compared by their stems.
"""

from functools import cache

from dunegpt.text.analyzer import tokenize

_AXES = """
rise rose risen increase increased grow grew grown raise raised more strengthen / fall
  fell fallen decrease decreased drop dropped shrink shrank shrunk lower lowered
  decline declined reduce reduced less fewer weaken sank sink
high higher highest tall taller / low lower lowest
improve improved better best enhance / worsen worse worst degrade degraded deteriorate
  poorer
open opened / close closed shut
start started begin began begun / stop stopped end ended finish finished
succeed succeeded success successful pass passed survive survived / fail failed
  failure break broke broken
before prior beforehand / after afterwards following subsequently / during while
  meanwhile
top upper uppermost / bottom lowermost
north northern / south southern / east eastern / west western
left / right
inside inner internal / outside outer external
front / rear back
parallel / perpendicular orthogonal orthogonally
horizontal horizontally / vertical vertically
first initial initially / last final finally
fast faster quick quicker quickly / slow slower slowly
strong stronger strongest / weak weaker weakest
thick thicker / thin thinner
long longer longest / short shorter shortest
large larger largest big bigger biggest / small smaller smallest tiny
wide wider / narrow narrower
heavy heavier heaviest / lightest lighter
hot hotter warm warmer / cold colder cool cooler
new newer newest / old older oldest
early earlier earliest / late later latest
minimum minimal min / maximum maximal max
easy easier / difficult hard harder
always / never
install installed / remove removed / dismantle dismantled
include included including / exclude excluded excluding
accept accepted approve approved / reject rejected refuse refused
enable enabled / disable disabled
connect connected / disconnect disconnected
agree agreed / disagree disagreed
allow allowed permit permitted / forbid forbidden prohibit prohibited
available / unavailable
same identical / different
primary / secondary
collection / induction
manual manually hand / automatic automatically
positive / negative
input inputs / output outputs
anode anodes / cathode cathodes
proton protons / neutron neutrons / electron electrons / muon muons / pion pions /
  kaon kaons
near / far
private / public
red / blue / green / yellow / white / black / orange
day daytime / night
winter / spring / summer / autumn
single / dual double
minor / major
online / offline
steel / copper / aluminium aluminum / glass / carbon / plastic / gold / titanium
"""


@cache
def get_poles() -> dict[str, tuple[tuple[int, int], ...]]:
    """Return for each stem the axes it is on, as (number of the axis, of the pole)."""
    poles: dict[str, list[tuple[int, int]]] = {}
    lines = _AXES.replace("\n  ", " ").strip().splitlines()
    for axis, line in enumerate(lines):
        for pole, words in enumerate(line.split("/")):
            for word in words.split():
                for stem in tokenize(word) or [word]:
                    places = poles.setdefault(stem, [])
                    if (axis, pole) not in places:
                        places.append((axis, pole))
    return {stem: tuple(places) for stem, places in poles.items()}

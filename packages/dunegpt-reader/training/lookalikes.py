"""Makes groups whose candidates look alike: sensor 4 and 41, deputies, sides, denials.

What differs is one word or number, which is what the reader has to look at. The texts
are invented; words are drawn at random, with a fixed seed.
"""

import random
from collections.abc import Callable, Iterator

from groups import Group

THINGS = (
    "sensor", "channel", "pump", "board", "crate", "fan", "heater", "gauge", "link",
    "module", "camera", "motor", "filter", "cable", "detector", "probe", "fibre",
)  # fmt: skip
CODES = ("V", "PT-", "TT-", "R", "FT-", "HV", "LT", "B", "PSU-", "M")
STATES = (
    "is broken", "is fine", "is noisy", "is off", "is missing", "leaks", "is stuck",
    "works", "is warm", "was replaced", "is under repair", "is not connected",
    "is powered", "is open", "is closed", "is blocked", "drifts", "is dead",
)  # fmt: skip
PEOPLE = (
    "Mira Voss", "Tariq Aziz", "Lena Holt", "Ugo Ferri", "Ana Souza", "Per Lund",
    "Wei Zhang", "Ife Bello", "Rosa Marin", "Jan Kolar", "Siri Dahl", "Omar Haddad",
    "Nils Berg", "Priya Nair", "Tom Ashby", "Yael Stern", "Eva Novak", "Kofi Mensah",
)  # fmt: skip
ROLES = (
    "run coordinator", "safety officer", "technical coordinator", "shift leader",
    "release manager", "contact for cryogenics", "chair of the board",
    "software coordinator", "cryogenics expert", "calibration convener",
)  # fmt: skip
PARTS = (
    "field cage", "cathode", "light readout", "purity monitor", "top plane", "lid",
    "ground plane", "laser", "feedthrough", "bottom plane", "cable tray", "camera",
)  # fmt: skip
SIDES = (
    ("north", "south"), ("upper", "lower"), ("left", "right"), ("inner", "outer"),
    ("first", "second"), ("near", "far"), ("eastern", "western"), ("front", "rear"),
)  # fmt: skip
PLACES = ("cryostat", "hall", "vessel", "gallery", "platform", "detector")
WHEN = (
    "in March", "in June 2023", "on 3 May", "in week 31", "on Friday", "in spring",
    "in the third quarter", "on 12 September 2024", "at 14:20", "in 2021",
    "on 2 October", "last Tuesday", "before the fill", "at the end of July",
)  # fmt: skip
DONE = ("installed", "tested", "moved", "repaired", "cleaned", "aligned", "delivered")
QUANTITIES = (
    ("temperature", "K"), ("pressure", "bar"), ("voltage", "kV"), ("mass", "kg"),
    ("length", "m"), ("power", "W"), ("flow", "L/min"), ("current", "A"),
    ("thickness", "mm"), ("frequency", "Hz"), ("volume", "litres"), ("price", "EUR"),
)  # fmt: skip
NAMES = ("Alpha", "Beta", "Corvin", "Delta", "Elmo", "Falk", "Gaia", "Hexa", "Iris")
TITLES = (
    "Status", "Shift log", "Minutes of Tuesday", "Set points", "Notes", "Weekly report",
    "Overview", "Contacts", "Installation", "Handover", "Decisions", "Log of the stand",
)  # fmt: skip

Pick = random.Random


def make_groups(count: int, seed: int = 0) -> Iterator[Group]:
    """Yield groups of all kinds in turn."""
    rng = random.Random(seed)
    for number in range(count):
        make = _MAKERS[number % len(_MAKERS)]
        question, sentences, answers = make(rng)
        order = rng.sample(range(len(sentences)), len(sentences))
        title = rng.choice(TITLES)
        yield Group(
            question,
            (title,) * len(sentences),
            tuple(sentences[n] for n in order),
            frozenset(new for new, n in enumerate(order) if n in answers),
        )


Made = tuple[str, list[str], set[int]]


def _draw_numbers(rng: Pick) -> list[str]:
    """Return numbers of which each looks like the first."""
    first = rng.choice(
        [str(rng.randint(1, 9)), str(rng.randint(10, 99)), str(rng.randint(1000, 3999))]
    )
    alike = {
        first + str(rng.randint(0, 9)),
        first + "1",
        str(rng.randint(1, 9)) + first,
        first[:-1] + str(rng.randint(0, 9)),
        str(rng.randint(1, 99)),
        str(int(first) + 400),
    } - {first, ""}
    return [first, *rng.sample(sorted(alike), 4)]


def _state_of_numbered(rng: Pick) -> Made:
    thing = rng.choice(THINGS)
    names = [f"{thing.capitalize()} {n}" for n in _draw_numbers(rng)]
    if rng.random() < 0.4:
        code = rng.choice(CODES)
        names = [f"{thing.capitalize()} {code}{n.split()[-1]}" for n in names]
    states = rng.sample(STATES, len(names))
    sentences = [f"{name} {state}." for name, state in zip(names, states, strict=True)]
    target = names[0][0].lower() + names[0][1:]
    forms = [
        (f"Which {thing} {states[0]}?", {0}),
        (f"What is the state of {target}?", {0}),
        (f"what about {target}", {0}),
        (f"What is wrong with {target}?", {0}),
    ]
    question, answers = rng.choice(forms)
    if rng.random() < 0.25:
        return question, sentences[1:], set()
    return question, sentences, answers


def _reading(rng: Pick) -> Made:
    thing, (_, unit) = rng.choice(THINGS), rng.choice(QUANTITIES)
    numbers = _draw_numbers(rng)
    verb = rng.choice(["reads", "is set to", "shows", "is limited to"])
    values = [
        f"{rng.randint(1, 400) / rng.choice([1, 10, 100]):g} {unit}" for _ in numbers
    ]
    sentences = [
        f"{thing.capitalize()} {n} {verb} {v}."
        for n, v in zip(numbers, values, strict=True)
    ]
    target = f"{thing} {numbers[0]}"
    question = {
        "reads": f"What does {target} read?",
        "is set to": f"To what is {target} set?",
        "shows": f"What does {target} show?",
        "is limited to": f"What is the limit of {target}?",
    }[verb]
    return (
        (question, sentences[1:], set())
        if rng.random() < 0.35
        else (question, sentences, {0})
    )


def _role(rng: Pick) -> Made:
    roles = rng.sample(ROLES, 3)
    people = iter(rng.sample(PEOPLE, 6))
    names = [n for role in roles for n in (role, f"deputy {role}")]
    form = rng.choice(
        ["{0}: {1}.", "The {0} is {1}.", "{1} is {0}.", "{1} was elected {0}."]
    )
    sentences = [form.format(name, next(people)) for name in names]
    sentences = [s[0].upper() + s[1:] for s in sentences]
    n = rng.randrange(len(names))
    question = rng.choice(
        [
            "Who is the {}?",
            "who is {}",
            "name of the {}",
            "Whom do I ask, i.e. who is the {}?",
        ]
    ).format(names[n])
    if rng.random() < 0.3:
        return question, sentences[:n] + sentences[n + 1 :], set()
    return question, sentences, {n}


def _side(rng: Pick) -> Made:
    part, other = rng.sample(PARTS, 2)
    (one, two), place, done = rng.choice(SIDES), rng.choice(PLACES), rng.choice(DONE)
    times = rng.sample(WHEN, 3)
    sentences = [
        f"The {part} was {done} in the {one} {place} {times[0]}.",
        f"The {part} was {done} in the {two} {place} {times[1]}.",
        f"The {other} was {done} in the {one} {place} {times[2]}.",
        f"The {other} was not {done} in the {two} {place}.",
        f"The {part} of the {two} {place} was {rng.choice(DONE)} twice.",
    ]
    question = f"When was the {part} {done} in the {one} {place}?"
    if rng.random() < 0.3:
        return question, sentences[1:], set()
    return question, sentences, {0}


def _denied(rng: Pick) -> Made:
    one, two, three = rng.sample(NAMES, 3)
    what = rng.choice(["offer", "design", "proposal", "sample", "draft", "plan"])
    verb, past = rng.choice(
        [
            ("accept", "accepted"),
            ("approve", "approved"),
            ("choose", "chose"),
            ("test", "tested"),
            ("sign", "signed"),
        ]
    )
    who = rng.choice(["group", "board", "committee", "team"])
    sentences = [
        f"The {who} did not {verb} the {what} of {one}.",
        f"The {who} {past} the {what} of {two}.",
        f"The {what} of {three} was discussed.",
        f"{one} will send another {what}.",
        f"A decision about {three} is expected {rng.choice(WHEN)}.",
    ]
    return rng.choice(
        [
            (f"Which {what} did the {who} {verb}?", sentences, {1}),
            (
                f"whose {what} was {past if verb != 'choose' else 'chosen'}?",
                sentences,
                {1},
            ),
            (f"Which {what} did the {who} not {verb}?", sentences, {0}),
            (f"Did the {who} {verb} the {what} of {one}?", sentences, {0}),
            (f"Did the {who} {verb} the {what} of {two}?", sentences, {1}),
            (f"Why did the {who} {verb} the {what} of {two}?", sentences, set()),
            (f"When did the {who} {verb} the {what} of {two}?", sentences, set()),
        ]
    )


def _proposed(rng: Pick) -> Made:
    part, (quantity, unit) = rng.choice(PARTS), rng.choice(QUANTITIES)
    now, wanted, old = (f"{v} {unit}" for v in rng.sample(range(2, 90), 3))
    sentences = [
        rng.choice(
            [
                "The {0} of the {1} is {2}.",
                "We keep {2} as the {0} of the {1}.",
                "The {0} of the {1} stays at {2}.",
            ]
        ).format(quantity, part, now),
        rng.choice(
            [
                "> I would like to change the {0} of the {1} to {2}.",
                "It was proposed to set the {0} of the {1} to {2}.",
                "{3} suggested {2} for the {0} of the {1}.",
            ]
        ).format(quantity, part, wanted, rng.choice(PEOPLE)),
        f"Until last year the {quantity} of the {part} was {old}.",
        f"The {quantity} of the {part} is checked once a week.",
    ]
    return rng.choice(
        [
            (f"What is the {quantity} of the {part}?", sentences, {0}),
            (f"{quantity} of the {part}", sentences, {0}),
            (f"What {quantity} was proposed for the {part}?", sentences, {1}),
            (f"What was the {quantity} of the {part} before?", sentences, {2}),
            (f"Who measured the {quantity} of the {part}?", sentences, set()),
            (f"What is the {quantity} of the {part}?", sentences[1:], set()),
        ]
    )


def _amounts(rng: Pick) -> Made:
    parts = rng.sample(PARTS, 4)
    (one, unit), (two, unit_two) = rng.sample(QUANTITIES, 2)
    form = rng.choice(
        ["The {0} of the {1} is {2}.", "The {1} has a {0} of {2}.", "{3}: {0} {2}"]
    )
    sentences = [
        form.format(q, p, f"{rng.randint(2, 990)} {u}", p.capitalize())
        for p in parts
        for q, u in ((one, unit), (two, unit_two))
    ]
    n = rng.randrange(len(sentences))
    asked = (one, two)[n % 2]
    question = rng.choice(
        [
            "What is the {0} of the {1}?",
            "{0} of the {1}?",
            "Which {0} does the {1} have?",
        ]
    ).format(asked, parts[n // 2])
    if rng.random() < 0.3:
        return question, sentences[:n] + sentences[n + 1 :], set()
    return question, sentences, {n}


def _table(rng: Pick) -> Made:
    thing = rng.choice(THINGS).capitalize()
    columns = rng.sample([q for q, _ in QUANTITIES], 3)
    code = rng.choice(CODES)
    names = [f"{code}{n}" for n in _draw_numbers(rng)]
    sentences = [
        f"{thing}: {name}; "
        + "; ".join(f"{c.capitalize()}: {rng.randint(1, 500)}" for c in columns)
        for name in names
    ]
    sentences.append(f"{thing}; " + "; ".join(c.capitalize() for c in columns))
    sentences.append(f"The table gives the {columns[0]} of each {thing.lower()}.")
    missing = rng.choice([q for q, _ in QUANTITIES if q not in columns])
    return rng.choice(
        [
            (f"What is the {rng.choice(columns)} of {names[0]}?", sentences, {0}),
            (f"{rng.choice(columns)} of {thing.lower()} {names[0]}", sentences, {0}),
            (f"What is the {rng.choice(columns)} of {names[0]}?", sentences[1:], set()),
            (f"What is the {missing} of {names[0]}?", sentences, set()),
        ]
    )


def _versions(rng: Pick) -> Made:
    major = rng.randint(1, 12)
    versions = [f"{major}.{n}" for n in rng.sample([1, 2, 3, 9, 10, 11, 12, 20, 21], 4)]
    name = rng.choice(["Firmware", "Version", "Release", "Revision"])
    changes = rng.sample(
        (
            "supports 14-bit mode", "removes the test pattern", "fixes the clock",
            "adds a third trigger", "needs a new driver", "was never deployed",
            "halves the dead time", "changes the data format",
        ),
        4,
    )  # fmt: skip
    sentences = [f"{name} {v} {c}." for v, c in zip(versions, changes, strict=True)]
    question = rng.choice(
        [
            f"Which {name.lower()} {changes[0]}?",
            f"What does {name.lower()} {versions[0]} change?",
            f"what is new in {name.lower()} {versions[0]}",
        ]
    )
    if rng.random() < 0.3:
        return question, sentences[1:], set()
    return question, sentences, {0}


def _lacking(rng: Pick) -> Made:
    part, done = rng.choice(PARTS), rng.choice(DONE)
    who, when, place = rng.choice(PEOPLE), rng.choice(WHEN), rng.choice(PLACES)
    sentences = [
        f"The {part} was {done} {when}.",
        f"{who} wrote the procedure for the {part}.",
        f"The {part} is in the {place}.",
        f"It took {rng.randint(2, 9)} days until the {part} was {done}.",
    ]
    return rng.choice(
        [
            (f"When was the {part} {done}?", sentences, {0}),
            (f"Who {done} the {part}?", sentences, set()),
            (f"How much did the {part} cost?", sentences, set()),
            (f"Who made the {part}?", sentences, set()),
            (f"Where is the {part}?", sentences, {2}),
            (f"How long did it take until the {part} was {done}?", sentences, {3}),
            (f"Why was the {part} {done}?", sentences, set()),
            (f"When will the {part} be {done} again?", sentences, set()),
        ]
    )


_MAKERS: tuple[Callable[[Pick], Made], ...] = (
    _state_of_numbered, _reading, _role, _side, _denied, _proposed, _amounts, _table,
    _versions, _lacking,
)  # fmt: skip

"""Tables of English words: months, weekdays, numbers, nouns for documents.

They are data only; each module that uses one says what it makes of it.
"""

MONTH_ABBREVIATIONS = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())
"""In order, the first one January."""

_MONTH_NAMES = (
    "january february march april may june july august september october november"
    " december"
).split()

MONTHS = {
    name: number
    for names in (_MONTH_NAMES, MONTH_ABBREVIATIONS)
    for number, name in enumerate(names, start=1)
} | {"sept": 9}
"""The number of each month, by its name and its abbreviations, in lower case."""

WEEKDAYS = tuple("monday tuesday wednesday thursday friday saturday sunday".split())

NUMBERS = {
    word: number
    for number, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen"
        " fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(),
        start=1,
    )
}
"""The numbers from 1 to 20, by their words."""

TENS = {
    word: 10 * number
    for number, word in enumerate(
        "thirty forty fifty sixty seventy eighty ninety".split(), start=3
    )
}

ORDINALS = tuple(
    "first second third fourth fifth sixth seventh eighth ninth tenth".split()
)

DOCUMENT_NOUNS = (
    r"talks?|slides|presentations?|notes?|papers?|reports?|documents?|minutes|entry"
    r"|entries|articles?|publications?|memos?|files"
)
"""A pattern of what people call a document."""

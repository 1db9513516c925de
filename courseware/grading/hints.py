"""The hints that serve every task: for types, shapes, errors, and what was changed."""

from __future__ import annotations

from typing import Any

from courseware.grading.facts import Difference, Raised

_ENDS = {
    "TookTooLong": "too-long",
    "AskedForInput": "input",
    "SystemExit": "exit",
    "KeyboardInterrupt": "interrupt",
}


def key_of_error(raised: Raised) -> str:
    """Return the key of an error that ended an answer: "error" but for a few.

    >>> from courseware.grading.facts import Raised
    >>> from courseware.grading.hints import key_of_error
    >>> key_of_error(Raised("SystemExit", ""))
    'exit'
    """
    return _ENDS.get(raised.kind, "error")


def hint_for(key: str, name: str, difference: Difference, got: Any) -> str:
    """Return the hint for a key of the engine, where the task has none of its own.

    >>> from courseware.grading.facts import Difference
    >>> from courseware.grading.hints import hint_for
    >>> hint_for("type", "the result", Difference("type", "list", "int"), 1)
    'The result should be a list, not an int.'
    """
    if isinstance(got, Raised):
        return _hint_for_error(key, got)
    if key == "not-callable":
        return _HANDED_OVER.get(difference.got, _FUNCTION)
    if key == "type":
        return _KINDS.get(difference.got) or _told_types(name, difference)
    return _GENERIC.get(key, "Work one case out by hand, and compare step by step.")


_GENERIC = {
    "none": "It is None. Is a `return` missing?",
    "shape": "Print the shape after each step.",
    "dtype": "Convert with .float() before computing.",
    "length": "Count the entries: how many are asked for, and how many does yours give?",
    "keys": "Compare the keys with those that are asked for.",
    "patched": "Your function replaced functions of PyTorch, Python or the course itself. "
    "They were put back, and nothing is lost: write the answer without that.",
    "mutated": "Work on a copy: methods such as sort, pop and append, those that end in "
    "an underscore, and assignments into an argument change what was handed over.",
    "changed-layers": "Put back every layer that you took out or replaced.",
    "changed-weights": "The weights are to stay as they are: no step of an optimiser, no "
    "assignment into a parameter.",
    "changed-statistics": "BatchNorm's statistics moved: call eval() before the forward "
    "pass.",
    "changed-requires_grad": "Leave requires_grad as it was, or put it back.",
    "changed-mode": "Remember the mode (model.training) before you change it, and put it "
    "back with train(...).",
    "changed-hooks": "Remove every hook that you registered: handle.remove().",
}

_FUNCTION = "Hand over the function (or class) itself, by its name, without brackets."
_HANDED_OVER = {
    "str": "That is text in quotes. Hand over the function itself, without quotes.",
    "module": "That is a module. Hand over the function that you wrote in it.",
    "coroutine": "That is a coroutine: leave out the brackets, and the `async`.",
}


def _told_types(name: str, difference: Difference) -> str:
    what = name.removeprefix("type of ")
    where = f", at {difference.path}," if difference.path else ""
    wanted, got = _with_article(difference.expected), _with_article(difference.got)
    return f"{what[:1].upper()}{what[1:]}{where} should be {wanted}, not {got}."


def _with_article(kind: str) -> str:
    if kind == "None":
        return kind
    vowel = kind[:1].lower() in "aeiou" or kind == "ndarray"
    return f"{'an' if vowel else 'a'} {kind}"


# What was returned, by the name of its type.
_KINDS = {
    "coroutine": "That is a coroutine: your function is `async def`. A plain `def` is "
    "asked for.",
    "generator": "That is a generator: it comes from a `yield`, or from round brackets "
    "around a comprehension. Return a list: square brackets, or `list(...)`.",
    "function": "That is a function that nobody called: are its brackets missing?",
    "method": "That is a method that nobody called: are its brackets missing?",
    "builtin_function_or_method": "That is a method that nobody called: are its brackets "
    "missing?",
    "type": "That is a class, not an object of it: are its brackets missing?",
    "map": "That is a map object, which gives its values once: wrap it in list(...).",
    "filter": "That is a filter object: wrap it in list(...).",
    "zip": "That is a zip object, which gives its values once: wrap it in list(...).",
    "dict_keys": "That is a view of a dictionary: wrap it in list(...).",
    "dict_values": "That is a view of a dictionary: wrap it in list(...).",
}

# Parts of errors' types and texts, with what is usually behind them; the first counts.
_ERRORS = {
    "before Module.__init__": "`super().__init__()` comes first in a class's `__init__`.",
    "Boolean value of Tensor": "A tensor of truths is no single truth: use it as a mask, "
    "or ask `.any()` or `.all()`. `p in a_list` compares numbers: go by names, or `is`.",
    "has no len()": "That has no length: collect it in a list first, `list(...)`.",
    "indices must be integers": "A position must be an int: `//` divides to one, `/` does "
    "not.",
    "object is not subscriptable": "Something there cannot be indexed: is it a generator, "
    "or a method without its brackets?",
    "'method' object": "A method stands there without its brackets.",
    "NameError": "A name is not known: was the cell that defines or imports it run?",
    "UnboundLocalError": "A variable is read before it has a value in this function.",
    "takes no arguments": "Whatever you handed over takes no arguments: hand over the "
    "function that was asked for.",
    "positional argument": "The number of arguments does not fit: compare with the "
    "`def` line that was handed out, and with what you call.",
    "unexpected keyword": "An argument of that name does not exist there: compare with "
    "the `def` line that was handed out, and with what you call.",
    "mat1 and mat2 shapes": "Two matrices do not meet: the width of what a Linear layer "
    "is given is not its in_features. Print the shape in front of it.",
    "size mismatch": "Two shapes do not fit: strict=False forgives missing names, but no "
    "other shapes. Compare the shapes before you load or copy.",
    "must match the size": "Two shapes do not meet: print both, and think of keepdim=True "
    "or view.",
    "does not require grad": "backward() needs a graph: somewhere detach(), .item(), "
    "no_grad() or a frozen parameter cut it off.",
    "leaf Variable that requires grad": "Something that needs a gradient is changed in "
    "place. A sum begins with 0 and grows by `total = total + …`; weights are changed "
    "under `torch.no_grad()`.",
    "can't call numpy() on": "A tensor with a graph behind it: detach() it first.",
    "same device": "Two tensors are on different devices: move one of them with .to(...).",
    "NoneType": "Something is None here: a name that is missing, a layer without a bias, "
    "a gradient that was not computed, or a function without a `return`.",
    "KeyError": "A key is not in that dictionary: print its keys.",
    "AttributeError": "That object has no such attribute: print its type, and look with "
    "dir(...).",
    "IndexError": "A position lies beyond the end: print the length or the shape.",
    "RecursionError": "The function calls itself without an end.",
    "ZeroDivisionError": "Something is divided by zero: which case makes it 0?",
}


def _hint_for_error(key: str, raised: Raised) -> str:
    ended = {
        "too-long": "Look for a loop whose condition never becomes false, or for work "
        "that grows much faster than its input.",
        "input": "Take values from the arguments; nobody is there to type.",
        "exit": "Use `return` to leave a function.",
        "interrupt": "Your function raised KeyboardInterrupt itself: leave that to the ■ "
        "of the toolbar.",
    }
    if key in ended:
        return ended[key]
    text = f"{raised.kind}: {raised.text}"
    said = next((hint for part, hint in _ERRORS.items() if part in text), "")
    where = "Call your function in a cell of its own to see the whole traceback."
    return f"{said} {where}".strip()

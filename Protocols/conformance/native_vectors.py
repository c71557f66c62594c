"""Clauses of the native dialect: the streams of ../vectors/native-v1.json, sent as the other side would."""

import random

from native_program import (
    ABORT, BYTES, END, FAILURE, HEADER, HELLO, KINDS, MESSAGE, VECTORS, check_abort, clause, decode, frame,
    hello_body, same, shorten, vector_bytes)
from running import NotApplicable, require

# What is wrong with a frame of a conversation only as long as that has not ended.
LATE_ERRORS = ("afterEnd", "interruptedMessage", "messageTooLong", "badMeta")
# The hello that most streams begin with.
STANDARD = vector_bytes(next(vector for vector in VECTORS["streams"] if vector["name"] == "a hello alone"), "hex")
REASONS = {vector_bytes(item, "body"): item.get("error") for item in VECTORS["payloads"]}


def add_stream_clause(vector):
    @clause("13" if "error" in vector else "2", f"stream: {vector['name']}")
    def stream(context):
        require_applicable(context, vector)
        return play(context, vector)


def require_applicable(context, vector):
    """A vector says what its reader has announced; a program announces what it likes."""
    if vector.get("side", context.role) != context.role:
        raise NotApplicable(f"the reader is a {vector['side']}")
    if "side" in vector:
        context.require_conversations()
    if vector.get("ids", context.ids) != context.ids or ("side" in vector and context.ids < 3):
        raise NotApplicable(f"the hello allows {context.ids} conversations")
    if vector.get("window", context.window) > context.window or vector.get("error") == "overCredit":
        raise NotApplicable("whoever takes what has come grants more")
    if "limit" in vector and context.role == "parent" and vector["limit"] != context.limit:
        raise NotApplicable(f"the limit is {context.limit}")
    if vector.get("error") in LATE_ERRORS and last_id(vector) in ended_ids(vector):
        raise NotApplicable("the answer ends the conversation, so what follows comes late")


def last_id(vector):
    """The id of the frame that is the mistake."""
    data, id = vector_bytes(vector, "hex"), 0
    while len(data) >= HEADER.size:
        length, _, _, _, id = HEADER.unpack(data[: HEADER.size])
        data = data[4 + length :]
    return id


def ended_ids(vector):
    """The conversations that the sender has ended; whoever echoes its messages ends them, too."""
    last = [item for item in vector["frames"] if item["kind"] in ("message", "bytes", "end") and not item.get("open")]
    return {item.get("id", 0) for item in last} - {0}


def play(context, vector):
    """Sends a vector, and looks at what comes back."""
    data = vector_bytes(vector, "hex")
    # The hello of the vectors has small limits; this side's lets every echo through.
    is_standard = data.startswith(STANDARD) and data != STANDARD
    start, rest = (frame(HELLO, hello_body()), data[len(STANDARD) :]) if is_standard else (b"", data)
    limit = str(vector["limit"]) if "limit" in vector and context.role == "child" else None
    with context.start_with(start, message_limit=limit) as program:
        announced = program.wait_for_hello()["limits"]["message"]
        if "limit" in vector and announced != vector["limit"]:
            raise NotApplicable(f"the limit is {announced}")
        for number in range(vector.get("opened", 0)):
            program.have_it_ask(number)
        expected = expected_messages(program, vector, context.takes_handles)
        send_vector(program, rest, vector["name"], context.takes_handles)
        if "error" in vector:
            return expect_error(program, expected)
        expect_answers(program, vector, expected)


def send_vector(program, data, name, takes_handles):
    """At once or in pieces; with the descriptors that the headers announce, as far as there may be such headers."""
    numbers = random.Random(name)
    in_pieces = numbers.random() < 0.5
    while data:
        length, _, _, count, _ = HEADER.unpack(data[:16]) if len(data) >= 16 else (len(data), 0, 0, 0, 0)
        first, data = data[: 4 + length], data[4 + length :]
        fds = [0] * count if count <= 253 else []
        at = 0
        while at < len(first):
            size = numbers.randrange(1, 2 + len(first) // 20) if in_pieces else len(first)
            program.send(first[at : at + size], fds if at == 0 else [])
            at += size


def expected_messages(program, vector, takes_handles):
    """What the program answers, by id. What follows an abort need not be read."""
    expected = {}
    for item in vector["frames"]:
        kind, id, count = KINDS[item["kind"]], item.get("id", 0), item.get("descriptors", 0)
        if kind not in (MESSAGE, BYTES, END) or (kind == END and id == 0) or (id and not program.is_own(id)):
            continue
        body = vector_bytes(item, "body")
        reason = REASONS.get(body, "syntax" if body in (b"", b'{"a":') else None) if kind == MESSAGE else None
        if count and not takes_handles:
            reason, count = "handlesNotTaken", 0
        is_open = item.get("open", False)
        if reason:
            answer = (FAILURE, None) if id else (MESSAGE, {"$error": reason})
            answer, count = (*answer, False), 0
        else:
            answer = (kind, decode(body) if kind == MESSAGE else body, is_open)
        expected.setdefault(id, []).append((*answer, count))
    return expected


def expect_error(program, expected):
    program.wait_for_end()
    frames = program.frames
    aborts = [message.body for message in frames if message.kind == ABORT]
    # What had been answered when the mistake was found need not have been sent.
    expect_messages(program, expected, is_whole=False)
    program.exit_code()
    return check_abort(aborts[0]) if aborts else "ended without an abort"


def expect_answers(program, vector, expected):
    """Waits for what is due, and then ends the stream where the vector does."""
    kinds = [item["kind"] for item in vector["frames"]]
    is_aborted, is_ended = "abort" in kinds, ("end", 0) in [(i["kind"], i.get("id", 0)) for i in vector["frames"]]
    if not is_aborted:
        due = sum(len(messages) for id, messages in expected.items() if not program.find(id).is_over)
        program.wait(lambda: len(settled(program)) >= due, f"the answer {len(settled(program)) + 1} of {due}")
        pings = [vector_bytes(item, "body") for item in vector["frames"] if item["kind"] == "ping"]
        if pings:
            # A program that has read the end may have closed before it read a ping that follows.
            program.wait(lambda: pings[-1] in program.pongs or (is_ended and program.has_ended), "a pong")
    if not is_ended and not is_aborted:
        program.finish()
    program.wait_for_end()
    expect_messages(program, expected, is_whole=not is_aborted)
    require(is_ended or is_aborted or not program.buffer, "the stream ended inside a frame")
    code = program.exit_code()
    require(code == 0 or not is_ended, f"the exit code is {code}, not 0")


def echoes(program):
    """What came, without what the program says about conversations that it has opened."""
    return [message for message in program.frames if not is_about_own(program, message)]


def is_about_own(program, message):
    if message.id:
        return not program.is_own(message.id)
    value = decode(message.body) if message.kind == MESSAGE else None
    return isinstance(value, dict) and not value.keys().isdisjoint({"answer", "failure", "cancelled", "disconnected"})


def settled(program):
    """What came of the ids that have not been given up."""
    return [message for message in echoes(program) if not program.find(message.id).is_over or message.kind == FAILURE]


def expect_messages(program, expected, is_whole):
    came = {}
    for message in echoes(program):
        if message.kind != ABORT:
            came.setdefault(message.id, []).append(message)
    for id, messages in came.items():
        wanted = expected.get(id, [])
        for message, (kind, value, is_open, count) in zip(messages, wanted):
            got = decode(message.body) if message.kind == MESSAGE else message.body
            is_same = message.kind == kind and (kind in (END, FAILURE) or same(got, value))
            require(is_same, f"{message} came in place of {shorten(value)}")
            require(message.is_open == is_open, f"{message} came {'with' if message.is_open else 'without'} OPEN")
            require(len(message.fds) == count, f"{len(message.fds)} descriptors came back in place of {count}")
        require(len(messages) <= len(wanted), f"{len(messages)} frames came on the id {id}, of {len(wanted)} expected")
    for id, wanted in expected.items():
        is_due = is_whole and not program.find(id).is_over
        require(not is_due or len(came.get(id, [])) == len(wanted), f"{len(came.get(id, []))} of {len(wanted)} came")


for vector in VECTORS["streams"]:
    add_stream_clause(vector)

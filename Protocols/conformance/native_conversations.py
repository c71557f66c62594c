"""Clauses of the native dialect: conversations, their ids, ends and credit."""

import os

from native_program import (
    BYTES, CANCEL, END, FAILURE, LARGEST, MESSAGE, META, MORE, MOST, OPEN, clause, decode, frame,
    with_description)
from running import NotApplicable, require


@clause("6", "a conversation is answered in its own id, with JSON and with bytes")
def answers(context):
    context.require_conversations()
    with context.start() as program:
        for number in range(20):
            id = program.open(b"[%d]" % number)
            program.expect_value([number], id)
            id = program.open(b"\0\xff", BYTES)
            program.expect_bytes(b"\0\xff", id)
        program.expect_works()
        program.expect_graceful_end()


@clause("6", "each side of a conversation may have several messages, and ends with one without OPEN, or with an end")
def several_messages(context):
    context.require_conversations()
    with context.start() as program:
        id = program.open(b"0", flags=OPEN)
        program.expect_value(0, id, is_open=True)
        for number in range(1, 100):
            program.put_value(number, id=id, flags=OPEN)
            program.expect_value(number, id, is_open=True)
        program.put_value("last", id=id)
        program.expect_value("last", id)
        id = program.open(b"0", flags=OPEN)
        program.expect_value(0, id, is_open=True)
        program.put(frame(END, id=id))
        message = program.next_of(id)
        require(message.kind == END, f"{message} came in place of an end")
        program.expect_graceful_end()


@clause("6", "frames of many conversations and of id 0 may come in turns")
def turns(context):
    context.require_conversations()
    count = min(context.ids, 10)
    bodies = [os.urandom(20_000) for _ in range(count + 1)]
    with context.start() as program:
        program.wait_for_hello()
        ids = [0] + [program.own_id(program.opened + 1 + number) for number in range(count)]
        for at in range(0, 20_000, 1000):
            for id, body in zip(ids, bodies):
                piece = body[at : at + 1000]
                flags = MORE if at < 19_000 else 0
                if id and at == 0:
                    flags, piece = flags | META, with_description({"name": "conformance"}, piece)
                program.put(frame(BYTES, piece, flags, id=id))
        for id, body in zip(ids, bodies):
            program.wait(lambda: any(message.id == id for message in program.frames), f"the echo of the id {id}")
            message = next(message for message in program.frames if message.id == id)
            program.frames.remove(message)
            require(message.kind == BYTES and message.body == body, f"{message} came in place of the echo")
        program.expect_graceful_end()


@clause("6", "the highest id is raised as conversations end: three times as many as are allowed at first")
def raised(context):
    context.require_conversations()
    if context.ids > 4000:
        raise NotApplicable(f"it allows {context.ids}")
    with context.start() as program:
        for number in range(3 * context.ids):
            program.expect_value(number, program.open(b"%d" % number))
        program.expect_graceful_end()


@clause("6", "the highest id is raised for one that has ended while all others last")
def raised_for_one(context):
    context.require_conversations()
    if context.ids > 4000:
        raise NotApplicable(f"it allows {context.ids}")
    with context.start() as program:
        lasting = [program.open(b"0", flags=OPEN) for _ in range(context.ids - 1)]
        for id in lasting:
            program.expect_value(0, id, is_open=True)
        for number in range(3):
            program.expect_value(number, program.open(b"%d" % number))
        for id in lasting:
            program.put_value(1, id=id)
            program.expect_value(1, id)
        program.expect_graceful_end()


@clause("6", "a conversation that is cancelled makes room, too")
def cancelled(context):
    context.require_conversations()
    if context.ids > 4000:
        raise NotApplicable(f"it allows {context.ids}")
    with context.start() as program:
        for number in range(3 * context.ids):
            id = program.open(b"%d" % number, flags=OPEN)
            program.send(frame(CANCEL, id=id))
        program.expect_works_beside()
        program.expect_graceful_end()


@clause("6", "a failure ends a conversation, and a conversation may be given up inside a message")
def failed(context):
    context.require_conversations()
    with context.start() as program:
        id = program.open(b"1", flags=OPEN)
        program.expect_value(1, id, is_open=True)
        program.put(frame(FAILURE, b'{"code":"x","message":"y"}', id=id))
        id = program.open(b"1", flags=OPEN)
        program.expect_value(1, id, is_open=True)
        program.put(frame(FAILURE, b"no JSON", id=id))
        program.put(frame(BYTES, with_description({"name": "x"}, b"begun"), META | MORE, id=program.own_id(3)))
        program.send(frame(CANCEL, id=program.own_id(3)))
        program.expect_value(2, program.open(b"2"))
        program.expect_works_beside()
        program.expect_graceful_end()


@clause("6", "frames of a conversation that has ended are dropped, whatever they hold")
def late(context):
    context.require_conversations()
    with context.start() as program:
        id = program.open(b"1")
        program.expect_value(1, id)
        program.put_value("open", id=0)
        program.expect_value("open")
        later = program.open(b"2", flags=OPEN)
        program.expect_value(2, later, is_open=True)
        program.send(frame(CANCEL, id=later))
        late_frames = [
            frame(BYTES, b"x", MORE, id=later), frame(MESSAGE, b"no JSON", id=later),
            frame(BYTES, bytes(MOST), id=later), frame(BYTES, bytes(MOST), META, id=later),
            frame(FAILURE, b"{}", id=later), frame(END, id=later), frame(END, id=later), frame(CANCEL, id=later),
            frame(CANCEL, id=id)]
        for data in late_frames:
            program.send(data)
        program.expect_works_beside()
        program.expect_graceful_end()


@clause("6", "a message that is no JSON costs its conversation alone")
def lost(context):
    context.require_conversations()
    with context.start() as program:
        id = program.open(b"[1,")
        message = program.next_of(id)
        require(message.kind in (FAILURE, CANCEL), f"{message} came in place of a failure or a cancel")
        program.expect_value(1, program.open(b"1"))
        program.expect_works()
        program.expect_graceful_end()


@clause("7", "each id has its own credit: 2 MB in one message, and 2 MB in many, in two conversations")
def credit_of_conversations(context):
    context.require_conversations()
    data = os.urandom(2 << 20)
    if context.limit < len(data):
        raise NotApplicable(f"the limit is {context.limit}")
    with context.start(window=MOST) as program:
        long = program.open(data, BYTES)
        program.expect_bytes(data, long)
        many = program.open(b"0", flags=OPEN)
        for _ in range(2000):
            program.put_message(BYTES, bytes(1000), id=many, flags=OPEN)
        program.put(frame(END, id=many))
        program.expect_value(0, many, is_open=True)
        for _ in range(2000):
            program.expect_bytes(bytes(1000), many, is_open=True)
        message = program.next_of(many)
        require(message.kind == END, f"{message} came in place of an end")
        program.expect_graceful_end()


@clause("7", "a conversation without credit does not hold up pings")
def stuck_conversation(context):
    context.require_conversations()
    with context.start(window=MOST) as program:
        program.grants = False
        id = program.open(b"0", flags=OPEN)
        for _ in range(60):
            program.put_message(BYTES, bytes(10_000), id=id, flags=OPEN)
        program.wait_for_frames(1 + MOST // 10_064)
        program.stay_quiet()
        require(program.find(id).read >= MOST, "less came than the window has room for")
        program.expect_ping()
        program.grant(id, LARGEST)
        program.expect_value(0, id, is_open=True)
        for _ in range(60):
            program.expect_bytes(bytes(10_000), id, is_open=True)
        program.send(frame(CANCEL, id=id))
        program.expect_works_beside()
        program.expect_graceful_end()


@clause("6", "an id above the highest that was allowed is a mistake")
def too_many(context):
    with context.start() as program:
        program.expect_works()
        if program.peer_allows > 8000:
            raise NotApplicable(f"it allows the id {program.peer_allows}")
        count = max(0, (program.peer_allows + 1) // 2)
        opening = with_description({"name": "x"}, b"1")
        # Begun, so that none of them ends.
        for number in range(count):
            program.send(frame(BYTES, opening, META | MORE, id=program.own_id(number + 1)))
        program.send(frame(BYTES, opening, META | MORE, id=program.own_id(count + 1)))
        return program.expect_protocol_error()


# What a program does that opens conversations when it is asked to


@clause("6", "a program that opens conversations numbers them without gaps, and describes them")
def opens(context):
    with context.start() as program:
        for number in range(3):
            message = program.have_it_ask([number])
            require((message.id + 1) // 2 == number + 1, f"its conversation {number + 1} has the id {message.id}")
            require(message.description is not None and not message.is_open, f"{message} has no name, or has OPEN")
            require(decode(message.body) == [number], f"{message} came in place of [{number}]")
            program.put_value(["answer", number], id=message.id)
            program.expect_value({"answer": ["answer", number]})
        program.expect_graceful_end()


@clause("6", "a program opens no conversation above the highest id that is allowed, and goes on when it is raised")
def waits_for_ids(context):
    with context.start(ids=1) as program:
        first = program.have_it_ask(1)
        program.ask("request", value=2)
        program.stay_quiet()
        require(not program.frames, "a frame came, and one id was allowed")
        program.expect_ping()
        program.allowed = 2
        program.grant(0)
        second = program.next()
        program.put_value("a", id=first.id)
        program.put_value("b", id=second.id)
        program.expect_value({"answer": "a"})
        program.expect_value({"answer": "b"})
        program.expect_graceful_end()


@clause("7", "the highest id of a credit frame counts, also where its id has ended")
def highest_of_late_credit(context):
    with context.start(ids=1) as program:
        first = program.have_it_ask(1)
        program.put_value("a", id=first.id)
        program.expect_value({"answer": "a"})
        program.ask("request", value=2)
        program.allowed = 2
        program.grant(first.id, 1_000_000)
        second = program.next()
        program.put_value("b", id=second.id)
        program.expect_value({"answer": "b"})
        program.expect_graceful_end()


@clause("6", "each request has one end: a failure, a cancel, or the end of this side")
def ends_of_requests(context):
    with context.start() as program:
        message = program.have_it_ask(1)
        program.put(frame(FAILURE, b'{"code":"x","message":"y"}', id=message.id))
        program.expect_value({"failure": "x"})
        message = program.have_it_ask(2)
        program.send(frame(CANCEL, id=message.id))
        program.expect_value({"cancelled": True})
        message = program.have_it_ask(3)
        # A late answer is none.
        program.end()
        program.wait_for_peers_end()
        program.wait_for_end()
        values = [decode(other.body) for other in program.frames]
        require(values in ([], [{"disconnected": True}]), f"{values} came after the end")
        program.require_exit()

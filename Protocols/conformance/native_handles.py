"""Clauses of the native dialect: descriptors."""

import os
import resource
import socket

from native_program import (
    BYTES, CANCEL, DESCRIPTOR_COST, MESSAGE, META, MORE, MOST, OPEN, clause, frame, shorten,
    with_description)
from running import NotApplicable, close_all, require


@clause("11", "a message with descriptors for a program that takes none is lost alone")
def not_taken(context):
    if context.takes_handles:
        raise NotApplicable("the hello names the feature `handles`")
    with context.start() as program:
        for kind in (MESSAGE, BYTES):
            program.put(frame(kind, b"1", 0, 2), [0, 1])
            program.expect_value({"$error": "handlesNotTaken"})
        program.put(frame(BYTES, b"a" * 10, MORE, 1), [0])
        program.put(frame(BYTES, b"b" * 10))
        program.expect_value({"$error": "handlesNotTaken"})
        program.expect_works()
        before = program.descriptors()
        program.put(frame(MESSAGE, b"1", 0, 2), [0, 1])
        program.expect_value({"$error": "handlesNotTaken"})
        require(program.descriptors() == before, "the program has descriptors that it did not take")
        program.expect_graceful_end()


def identities(fds):
    return [(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in fds]


def expect_echo(program, kind, body, fds, id=0, is_open=False):
    message = program.next_of(id) if id else program.next()
    try:
        is_same = (message.kind, message.body, message.is_open) == (kind, body, is_open)
        require(is_same, f"{message} came in place of {shorten(body)}")
        require(identities(message.fds) == identities(fds), "other descriptors came back, or in another order")
    finally:
        close_all(message.fds)


class Files:
    """A pipe, a pair of sockets, a listening socket, a file."""

    def __enter__(self):
        self.pipe = os.pipe()
        self.sockets = [*socket.socketpair(), socket.create_server(("127.0.0.1", 0))]
        self.all = [*self.pipe, *(end.fileno() for end in self.sockets), os.open(__file__, os.O_RDONLY)]
        return self

    def __exit__(self, *exception):
        close_all([*self.pipe, self.all[-1]])
        for end in self.sockets:
            end.close()


@clause("11", "pipes, sockets, a listening socket and a file come back, and can be used")
def descriptors(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.put(frame(MESSAGE, b'"all"', 0, len(files.all)), files.all)
        message = program.next()
        require(identities(message.fds) == identities(files.all), "other descriptors came back, or in another order")
        os.write(message.fds[1], b"through the pipe")
        require(os.read(files.pipe[0], 100) == b"through the pipe", "the pipe is another one")
        close_all(message.fds)
        # All other copies of the writing end are closed when this one is the last.
        os.close(files.pipe[1])
        files.pipe = (files.pipe[0],)
        files.all = files.all[:1] + files.all[2:]
        program.expect_works()
        os.set_blocking(files.pipe[0], False)
        require(os.read(files.pipe[0], 1) == b"", "the program has kept a descriptor")
        program.expect_graceful_end()


@clause("11", "from none to 253 descriptors with a message, with JSON and with bytes")
def counts(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        for count in (1, 2, 3, 0, 16, 100, 253):
            fds = (files.all * 50)[:count]
            for kind, body in ((MESSAGE, b"[1]"), (BYTES, b"\0\xff"), (BYTES, b"")):
                program.put(frame(kind, body, 0, count), fds)
                expect_echo(program, kind, body, fds)
        program.expect_graceful_end()


@clause("11", "descriptors ride with the first fragment, of long messages too")
def descriptors_and_fragments(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.put(frame(BYTES, b"abc", MORE, 2), files.all[:2])
        program.put(frame(BYTES, b"def"))
        expect_echo(program, BYTES, b"abcdef", files.all[:2])
        # In one call, byte by byte, and with the header cut.
        whole = frame(BYTES, b"abc", MORE, 3) + frame(BYTES, b"def") + frame(BYTES, b"later")
        for size in (len(whole), 1, 3, 8):
            for at in range(0, len(whole), size):
                program.send(whole[at : at + size], files.all[:3] if at == 0 else [])
            expect_echo(program, BYTES, b"abcdef", files.all[:3])
            expect_echo(program, BYTES, b"later", [])
        data = os.urandom(5 << 20)
        if context.limit >= len(data):
            program.put_message(BYTES, data, fds=files.all[:4])
            expect_echo(program, BYTES, data, files.all[:4])
        program.expect_graceful_end()


@clause("11", "80 messages with descriptors, one after the other, and others between them")
def back_to_back(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        for number in range(80):
            fds = [files.all[number % 5], files.all[(number + 1) % 5]]
            program.put(frame(MESSAGE, b"%d" % number, 0, 2), fds)
            for _ in range(number % 4):
                program.put(frame(MESSAGE, b'"plain"'))
        for number in range(80):
            expect_echo(program, MESSAGE, b"%d" % number, [files.all[number % 5], files.all[(number + 1) % 5]])
            for _ in range(number % 4):
                expect_echo(program, MESSAGE, b'"plain"', [])
        program.expect_graceful_end()


@clause("11", "descriptors in conversations, and those of frames that come late are closed")
def in_conversations(context):
    context.require_handles()
    context.require_conversations()
    with context.start() as program, Files() as files:
        id = program.open(b"[1]", flags=OPEN, fds=files.all[:2])
        expect_echo(program, MESSAGE, b"[1]", files.all[:2], id, is_open=True)
        program.put(frame(BYTES, b"2", OPEN, 1, id), files.all[:1])
        expect_echo(program, BYTES, b"2", files.all[:1], id, is_open=True)
        program.expect_works()
        before = program.descriptors()
        program.send(frame(CANCEL, id=id))
        program.send(frame(BYTES, b"late", OPEN, 3, id), files.all[:3])
        program.send(frame(MESSAGE, b"late", MORE, 2, id), files.all[:2])
        program.expect_works()
        require(program.descriptors() == before, f"it had {before} open, and has {program.descriptors()}")
        # A begun message takes its descriptors with it, too.
        begun = program.own_id(program.opened + 1)
        opening = with_description({"name": "x"}, b"begun")
        program.put(frame(BYTES, opening, META | MORE, 3, begun), files.all[:3])
        program.send(frame(CANCEL, id=begun))
        program.expect_works()
        require(program.descriptors() == before, f"it had {before} open, and has {program.descriptors()}")
        program.expect_graceful_end()


@clause("11", "a descriptor costs 4,096: echoes with descriptors wait for credit, too")
def credit_of_descriptors(context):
    context.require_handles()
    with context.start(window=MOST) as program, Files() as files:
        program.grants = False
        program.wait_for_hello()
        for number in range(40):
            program.put(frame(MESSAGE, b"%d" % number, 0, 4), files.all[:4])
        fit = -(-MOST // (64 + 1 + 4 * DESCRIPTOR_COST))
        program.wait_for_frames(fit)
        program.stay_quiet()
        require(len(program.frames) == fit, f"{len(program.frames)} messages came, and {fit} were allowed")
        program.grant(0, 1 << 40)
        for number in range(40):
            expect_echo(program, MESSAGE, b"%d" % number, files.all[:4])
        program.expect_graceful_end()


@clause("11", "a message that is lost takes its descriptors with it, and none stays open")
def lost_with_message(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.expect_works()
        before = program.descriptors()
        for _ in range(20):
            program.put(frame(MESSAGE, b"[1,]", 0, 3), files.all[:3])
            program.expect_value({"$error": "syntax"})
        program.expect_works()
        require(program.descriptors() == before, f"it had {before} open, and has {program.descriptors()}")
        program.expect_graceful_end()


@clause("11", "a message whose descriptors find no room is lost alone")
def no_room(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.expect_works()
        opened = program.descriptors()
        free = next(number for number in range(len(opened) + 1) if number not in opened)
        own = resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE)
        for room in (0, 1):
            # Numbers that are in use stay in use above the limit.
            resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (free + room, own[1]))
            program.put(frame(MESSAGE, b"1", 0, 3), files.all[:3])
            program.expect_value({"$error": "handlesLost"})
            program.expect_works()
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, own)
        require(program.descriptors() == opened, f"it had {opened} open, and has {program.descriptors()}")
        program.put(frame(MESSAGE, b"1", 0, 3), files.all[:3])
        expect_echo(program, MESSAGE, b"1", files.all[:3])
        program.expect_graceful_end()


@clause("11", "no descriptors are sent to a side that takes none")
def side_without_handles(context):
    context.require_handles()
    with context.start(features=()) as program:
        program.put(frame(MESSAGE, b"1", 0, 1), [0])
        message = program.next()
        close_all(message.fds)
        require(not message.fds, "descriptors came")
        program.expect_works()
        return f"answered {shorten(message.body)}"


def add_mismatch_clause(title, announced, sent):
    @clause("11", title)
    def mismatch(context):
        # Who takes none is told by the count alone.
        if announced <= 253:
            context.require_handles()
        with context.start() as program:
            program.expect_works()
            program.send(frame(MESSAGE, b"1", 0, announced), [0] * sent)
            return program.expect_protocol_error()


add_mismatch_clause("fewer descriptors than announced are a mistake", 2, 1)
add_mismatch_clause("more descriptors than announced are a mistake", 1, 2)
add_mismatch_clause("announced descriptors that do not come are a mistake", 1, 0)
add_mismatch_clause("a count above 253 is a mistake", 254, 0)


@clause("11", "descriptors that no message announces are a mistake")
def stray(context):
    context.require_handles()
    with context.start() as program:
        program.expect_works()
        program.send(frame(MESSAGE, b"1"), [0])
        program.wait_for_end()
        # The message itself is right, so it may have been answered.
        if program.frames and program.frames[0].kind == MESSAGE:
            program.expect_value(1)
        return program.expect_protocol_error()


@clause("11", "descriptors that come with the middle of a message are a mistake")
def stray_inside(context):
    context.require_handles()
    with context.start() as program:
        program.expect_works()
        program.send(frame(BYTES, bytes(100))[:50])
        program.stay_quiet()
        program.send(frame(BYTES, bytes(100))[50:], [0])
        program.wait_for_end()
        if program.frames and program.frames[0].kind == BYTES:
            program.frames.pop(0)
        return program.expect_protocol_error()

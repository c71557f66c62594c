"""What both dialects need: a program with a channel, whose every wait has a deadline, and the list of clauses."""

import array
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

MOST_DESCRIPTORS = 253
SENT_AT_ONCE = 1 << 18
CHANNEL = 3
# So many failures in the beginning, and nothing else, and the rest would only take time.
HOPELESS = 4


class Failure(Exception):
    """The program under test did not do what the clause says."""


class NotApplicable(Exception):
    """The clause is about something that the program does not take part in."""


class Clauses:
    """The clauses of a dialect in their order, with the section of the specification that each is from."""

    def __init__(self):
        self.all = []

    def __call__(self, section, title, role=None):
        """A clause about both sides, or about the `child` or the `parent` alone."""

        def register(function):
            self.all.append((section, title, role, function))
            return function

        return register


def reserve_channel_number():
    """Makes the number that children get their channel by this process's to give away."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, CHANNEL)
    if nothing != CHANNEL:
        os.close(nothing)


class ChildRole:
    """The program under test is a child, and this tool its parent."""

    name = "child"

    def __init__(self, command):
        self.command = command

    def launch(self, program, variables, before, number=CHANNEL):
        program.number = number
        program.socket, other = socket.socketpair()
        if before:
            program.socket.send(before)
        environment = {**os.environ, **variables(number)}
        options = {"pass_fds": [number], "stdin": subprocess.DEVNULL} if number else {"stdin": other}
        with other:
            if number:
                os.dup2(other.fileno(), number)
            program.process = subprocess.Popen(self.command, env=environment, stderr=program.errors, **options)
        # Nothing of the child's end may stay open here, or its end would not be seen.
        if number == CHANNEL:
            reserve_channel_number()
        elif number:
            os.close(number)

    def release(self, code):
        pass

    def close(self):
        pass


class ParentRole:
    """The program under test is a parent. It starts child.py, which hands its end of the channel to this tool."""

    name = "parent"

    def __init__(self, command):
        self.command = command
        self.control = None

    def launch(self, program, variables, before):
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            path = os.path.join(folder, "tool")
            listener.bind(path)
            listener.listen()
            child = [sys.executable, str(Path(__file__).resolve().parent / "child.py"), path]
            program.process = subprocess.Popen(
                [*self.command, *child], stdin=subprocess.DEVNULL, stderr=program.errors)
            try:
                self.control = self.accept(listener, program)
                program.variables, program.socket = self.take_channel()
            except Failure:
                program.process.kill()
                program.process.wait()
                raise
        program.socket.setblocking(False)
        if before:
            program.send(before)

    def accept(self, listener, program):
        deadline = time.monotonic() + program.seconds
        listener.settimeout(0.05)
        while time.monotonic() < deadline:
            try:
                control, _ = listener.accept()
                control.settimeout(program.seconds)
                return control
            except socket.timeout:
                status = program.process.poll()
                require(status is None, f"the parent ended with {status} before its child had started")
        raise Failure(f"the parent has not started its child within {program.seconds} s")

    def take_channel(self):
        text, fds, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
        require(fds, f"the child has no channel; its variables are {text.decode().strip()}")
        channel = socket.socket(fileno=fds[0])
        is_right = (channel.family, channel.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
        require(is_right, f"the channel is {channel}, and not a Unix stream socket")
        return json.loads(text), channel

    def release(self, code):
        """Lets the child end."""
        try:
            self.control.send(b"%d\n" % code)
        except OSError:
            # The parent has killed it.
            pass

    def close(self):
        self.control.close()


ROLES = {"child": ChildRole, "parent": ParentRole}


class Program:
    """A program under test and this side's end of its channel."""

    # Where its standard error goes; None: where this tool's goes.
    errors = None

    def __init__(self, role, variables, before=b"", seconds=20, **options):
        self.role = role
        self.seconds = seconds
        self.number = None
        self.outgoing = deque()
        self.is_finishing = False
        # Whether it leaves what comes in the socket.
        self.is_deaf = False
        self.received = 0
        self.arrived = []
        self.has_ended = False
        self.was_reset = False
        self.socket = None
        role.launch(self, variables, before, **options)
        self.socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()
        self.role.close()
        for _, _, fds in self.arrived:
            close_all(fds)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    # Overridden by the dialects

    def take(self, data):
        raise NotImplementedError

    # Sending and receiving

    def send(self, data, fds=()):
        """Queues bytes for one `sendmsg`; the descriptors go with the first of them."""
        self.outgoing.append((memoryview(data), list(fds)))
        if self.socket and self.socket.fileno() >= 0:
            self.exchange(0)

    def finish(self):
        """Ends this direction after all that is queued."""
        self.is_finishing = True
        self.exchange(0)

    def wait(self, condition, what):
        deadline = time.monotonic() + self.seconds
        while not condition():
            if self.has_ended:
                raise Failure(f"the stream ended before {what}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure(f"{what} has not come within {self.seconds} s")
            self.exchange(left)

    def wait_for_end(self):
        self.wait(lambda: self.has_ended, "the end of the stream")

    def wait_until_sent(self):
        """The stream from the program may have ended already."""
        deadline = time.monotonic() + self.seconds
        while self.outgoing or self.is_finishing:
            require(time.monotonic() < deadline, f"the program has not read everything within {self.seconds} s")
            self.exchange(0.1)

    def wait_for_input(self):
        """Until there is something to read, which is left where it is."""
        readable, _, _ = select.select([self.socket], [], [], self.seconds)
        require(readable, f"nothing has come within {self.seconds} s")

    def exit_code(self, of_child=0):
        """The code that the program ends with; a parent's child ends first."""
        self.role.release(of_child)
        try:
            return self.process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the program has not ended within {self.seconds} s of its channel") from None

    def require_exit(self, code=0):
        status = self.exit_code()
        require(status == code, f"the exit code is {status}, not {code}")

    def stay_quiet(self, seconds=0.3):
        """Gives the program time to do something that it should not."""
        deadline = time.monotonic() + seconds
        while not self.has_ended and time.monotonic() < deadline:
            self.exchange(max(0, deadline - time.monotonic()))

    def exchange(self, seconds):
        """Sends and receives what is possible now, after waiting for it where nothing is."""
        events = (0 if self.is_deaf or self.has_ended else select.POLLIN) | (select.POLLOUT if self.outgoing else 0)
        poll = select.poll()
        poll.register(self.socket, events)
        ready = poll.poll(seconds * 1000)
        for _, event in ready:
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and not self.has_ended and not self.is_deaf:
                self.receive()
            if event & select.POLLOUT:
                self.write()
        if self.is_finishing and not self.outgoing:
            self.is_finishing = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def write(self):
        while self.outgoing:
            data, fds = self.outgoing.popleft()
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                count = self.socket.sendmsg([data[:SENT_AT_ONCE]], rights, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self.outgoing.appendleft((data, fds))
                return
            except (BrokenPipeError, ConnectionResetError):
                # What has come is still read, and says why.
                self.outgoing.clear()
                return
            if count < len(data):
                self.outgoing.appendleft((data[count:], []))

    def receive(self):
        fds = array.array("i")
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * fds.itemsize)
        try:
            data, control, flags, _ = self.socket.recvmsg(1 << 18, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except ConnectionResetError:
            # It closed with something unread. This comes after its last byte.
            self.has_ended = self.was_reset = True
            return
        for level, kind, content in control:
            require((level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS), "a control message is not SCM_RIGHTS")
            fds.frombytes(content[: len(content) // fds.itemsize * fds.itemsize])
        require(not flags & socket.MSG_CTRUNC, "more descriptors came than this tool has room for")
        if fds:
            self.arrived.append((self.received, self.received + len(data), list(fds)))
        self.received += len(data)
        self.has_ended = not data
        self.take(data)

    # Looking at the program from outside

    def descriptors(self):
        return sorted(int(name) for name in os.listdir(f"/proc/{self.process.pid}/fd"))

    def is_close_on_exec(self, number):
        for line in open(f"/proc/{self.process.pid}/fdinfo/{number}"):
            if line.startswith("flags:"):
                return bool(int(line.split()[1], 8) & os.O_CLOEXEC)


def close_all(fds):
    for fd in fds:
        os.close(fd)


def require(condition, explanation):
    if not condition:
        raise Failure(explanation)


def run(clauses, context, is_short, only=""):
    """Runs all clauses and prints what holds. Whether all that apply do."""
    counts = {"ok": 0, "FAILED": 0, "not applicable": 0}
    try:
        context.prepare()
    except (Failure, OSError) as error:
        print(f"The program has not begun as it has to: {error}", flush=True)
    for section, title, role, function in clauses.all:
        if role not in (None, context.role) or only not in title:
            continue
        if counts["FAILED"] == HOPELESS and counts["ok"] == 0:
            print("The rest is left out: the program does not play its role at all.", flush=True)
            break
        try:
            result, seen = "ok", function(context)
        except NotApplicable as reason:
            result, seen = "not applicable", reason
        except Failure as failure:
            result, seen = "FAILED", failure
        except OSError as error:
            result, seen = "FAILED", f"{type(error).__name__}: {error}"
        counts[result] += 1
        if result == "FAILED" or not is_short:
            print(f"{result:<15} {section:<3} {title}" + (f": {seen}" if seen else ""), flush=True)
    context.close()
    print(f"{counts['ok']} ok, {counts['FAILED']} failed, {counts['not applicable']} not applicable", flush=True)
    return counts["FAILED"] == 0

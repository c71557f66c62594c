// A child that behaves as its first argument says. Its exit code is 0 where it found everything as it should be.

import Fork
import Glibc

let arguments = CommandLine.arguments.dropFirst().map { $0 }

func number(_ index: Int) -> Int {
    index < arguments.count ? Int(arguments[index]) ?? 0 : 0
}

switch arguments.first ?? "" {
case "echo": echo()
case "serves-nothing": Process.serve()
case "misfits": try sendMisfits(count: number(1), mode: arguments[2])
case "forgets-to-serve": try forgetToServe()
case "echo-aloud": echoAloud()
case "echo-async": try await echoAsync()
case "echo-one-by-one": try echoOneByOne()
case "burst": try burst(count: number(1), end: arguments[2])
case "burst-and-hold": try burstAndHold(count: number(1))
case "burst-killed": try await burstKilled(count: number(1))
case "large": try large(count: number(1), size: number(2), end: arguments[3])
case "count": countUntilDisconnect(expected: number(1), size: number(2))
case "both-ways": try sendBothWays(count: number(1), size: number(2), end: arguments[3])
case "flood": try await flood(count: number(1), size: number(2))
case "report": try report()
case "hold": holdChannel()
case "throw": throwInHandler()
case "send-in-handler": sendInHandler(count: number(1), end: arguments[2])
case "exit-in-handler": exitInHandler()
case "orphan": orphan(path: arguments[1])
case "mute": while true { pause() }
case "hang-on-exit": try hangOnExit()
case "errors": reportErrors()
case "threads": try sendFromThreads(threads: number(1), count: number(2))
case "state": try state()
case "break-off": try await breakOff()
case "leave-flood": leaveFlood()
case "flood-channel": floodChannel()
case "socket-and-end": try sendSocketAndEnd()
case "mode": reportMode()
case "serve-handles": serveHandles()
case "return-handles": returnHandles()
case "send-handles": try sendHandles(count: number(1))
case "refused-handle": try refusedHandle()
case "leave-program": try leaveProgram(end: arguments[1])
case "background": try background()
case "serve-task": try serveTask()
case "serve-and-throw": try serveAndThrow()
case "serve-twice": serveTwice()
case "close-descriptors": closeDescriptors(last: Int32(CommandLine.arguments[2])!)
case "serve-sum": try serveSum()
case "serve-beside-task": serveBesideTask()
case "serve-elsewhere": try serveElsewhere()
case "serve-here": try serveHere()
case "print": printLine(isLineBuffered: arguments[1] == "by-line", end: arguments[2])
default: exit(64)
}

// What a server program imports beside Fork. None of these imports may make a name of ours ambiguous.
import Fork
import Foundation
import Hummingbird
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

/// Every public type of `Fork`, by its name alone, as a type. Scripts/names.sh fails if one is missing.
///
/// `Process` is not among them: as a type that name is ambiguous beside Foundation's class. Its members are not.
struct EveryName: ~Copyable {
    var childInput: ChildInput?
    var childOutput: ChildOutput?
    var childProcess: ChildProcess?
    var decodedMessageSequence: DecodedMessageSequence<Int>?
    var errno: Errno?
    var eventSequence: EventSequence?
    /// System's, also if NIOCore is imported: the protocol of that name there then needs its module's name.
    var fileDescriptor: FileDescriptor?
    var filePath: FilePath?
    var niosFileDescriptor: (any NIOCore.FileDescriptor)?
    var forkError: ForkError?
    var handle: Handle?
    var handles: Handles?
    var json: JSON?
    var jsonError: JSONError?
    var message: Message?
    var messageLoop: MessageLoop?
    var messageSequence: MessageSequence?
    var resourceUsage: ResourceUsage?
    var signal: Signal?
    var subscription: Subscription?
}

@Test("every public type can be named beside Foundation, NIO, Hummingbird and Swift Testing")
func typesCanBeNamed() {
    var names = EveryName()
    names.json = ["is": "ours"]
    names.signal = .terminate
    #expect(names.json == ["is": "ours"])
    #expect(names.signal == Signal.terminate)
}

@Test("the members of both types called Process can be used in one file")
func membersOfProcessAreNotAmbiguous() {
    #expect(!Process.isForked)
    #expect(Process().terminationHandler == nil)
}

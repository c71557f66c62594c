import Foundation
import Testing
import Wire

@testable import Messaging

/// What a schedule is like; from its seed.
struct JoinedOptions {
    private let largest: Int
    private let answers: UInt64
    let plainCount: Int
    let conversationCount: Int
    let capacities: [Int]
    let paces: [Int]
    let limits: [ChannelLimits]
    let isKilled: Bool
    let isViolated: Bool

    init(_ random: inout SeededRandom) {
        let isLarge = random.isOne(in: 3)
        largest = isLarge ? [100_000, 300_000, 600_000][random.number(0...2)] : 2000
        answers = random.next()
        plainCount = random.isOne(in: 5) ? 0 : random.number(1...(isLarge ? 12 : 25))
        conversationCount = random.isOne(in: 3) ? 0 : random.number(1...(isLarge ? 4 : 8))
        let sizes = isLarge ? [4096, 65_536, 212_992] : [100, 1000, 4096, 212_992]
        capacities = [sizes[random.number(0...sizes.count - 1)], sizes[random.number(0...sizes.count - 1)]]
        let steps = isLarge ? [60_000, 300_000] : [50, 500, 5000]
        paces = (0..<4).map { _ in steps[random.number(0...steps.count - 1)] }
        limits = (0..<2).map { _ in
            ChannelLimits(
                messageLimit: 1 << 20, queueLimit: 1 << 30,
                window: [262_144, 262_144, 300_000, Hello.Limits.endlessWindow][random.number(0...3)],
                mainWindow: [262_144, 1 << 20][random.number(0...1)], ids: [1, 1, 2, 4, 256][random.number(0...4)])
        }
        isKilled = random.isOne(in: 8)
        isViolated = !isKilled && random.isOne(in: 8)
    }

    func message(_ number: Int, _ random: inout SeededRandom) -> JoinedMessage {
        let most = [0, 1, 50, 50, 500, 2000, largest][random.number(0...6)]
        let size = random.number(0...most)
        return JoinedMessage(number: number, size: size, isJSON: size <= 2000 && random.isOne(in: 2))
    }

    func actions(_ random: inout SeededRandom) -> [JoinedPart.Action] {
        var actions = [JoinedPart.Action](repeating: .say, count: [0, 0, 0, 1, 3][random.number(0...4)])
        actions.append([.sayLast, .sayLast, .sayLast, .end, .fail, .cancel][random.number(0...5)])
        // Given up while the answer is waited for.
        if random.isOne(in: 6) { actions.append(.cancel) }
        return actions
    }

    /// What the other side says in a conversation.
    func answer(_ id: UInt64) -> [JoinedPart.Action] {
        var random = SeededRandom(answers &+ id)
        return actions(&random)
    }
}

/// Two sides that are joined by two pipes, and what happens to them in what order.
final class JoinedSchedule {
    private var random: SeededRandom
    private let options: JoinedOptions
    private let sides: [ValueSide]
    private let programs: [JoinedProgram]
    /// From each side to the other.
    private let pipes: [JoinedPipe]
    private var isClosed = [false, false]
    private var isKilled = [false, false]
    private var isViolated = [false, false]
    private var hasHadConsumer = [false, false]
    private var isPaused = [false, false]
    private var events: [(step: Int, event: () -> Void)] = []
    private(set) var mistakes: [String] = []
    private(set) var stepCount = 0

    private static let mostSteps = 100_000

    init(seed: UInt64, isTraced: Bool = false) {
        var random = SeededRandom(seed)
        let options = JoinedOptions(&random)
        let conversations = JoinedConversations()
        self.options = options
        sides = [0, 1].map { ValueSide(isMaker: $0 == 0, limits: options.limits[$0]) }
        programs = sides.map { JoinedProgram($0, options, conversations, isTraced: isTraced) }
        pipes = options.capacities.map { JoinedPipe(capacity: $0) }
        self.random = random
        programs[0].other = programs[1]
        programs[1].other = programs[0]
        for index in 0...1 {
            sides[index].source = { [unowned self] in take(index) }
            sides[index].exhausted = { [unowned self] in exhausted(index) }
        }
        makeEvents()
    }

    // MARK: Events

    private func makeEvents() {
        for index in 0...1 {
            switch random.number(0...4) {
            case 0: later { $0.attach(index) }
            case 1: break  // Nobody, until the end.
            default: attach(index)
            }
            if random.isOne(in: 3) {
                later { $0.setPaused(index, true) }
                later { $0.setPaused(index, false) }
            }
            for _ in 0..<random.number(0...3) { later { $0.programs[index].wait() } }
            if random.isOne(in: 3) { later { $0.finish(index, .byThisSide) } }
        }
        let index = random.number(0...1)
        if options.isKilled { later { $0.kill(index) } }
        if options.isViolated { later { $0.violate(index) } }
    }

    private func later(_ event: @escaping (JoinedSchedule) -> Void) {
        schedule(random.number(0...300), event)
    }

    /// So many steps from now.
    private func schedule(_ steps: Int, _ event: @escaping (JoinedSchedule) -> Void) {
        let step = stepCount + steps
        let index = events.firstIndex { $0.step > step } ?? events.count
        events.insert((step, { [unowned self] in event(self) }), at: index)
    }

    private func attach(_ index: Int) {
        hasHadConsumer[index] = true
        sides[index].inbound.hasConsumer = true
        if !isKilled[index] { sides[index].pump() }
    }

    private func setPaused(_ index: Int, _ isPaused: Bool) {
        if self.isPaused[index] == isPaused { return }
        self.isPaused[index] = isPaused
        sides[index].inbound.pauses += isPaused ? 1 : -1
        if !isPaused, !isKilled[index] { sides[index].pump() }
    }

    private func finish(_ index: Int, _ closing: Closing) {
        if isClosed[index] { return }
        programs[index].note("finishes \(closing)")
        sides[index].act { $0.finish(closing) }
    }

    private func exhausted(_ index: Int) {
        // At once, or later.
        if random.isOne(in: 2) { return finish(index, .byPeer) }
        schedule(random.number(1...50)) { $0.finish(index, .byPeer) }
    }

    private func kill(_ index: Int) {
        if isClosed[index] { return }
        isKilled[index] = true
        sides[index].failWriting(.byThisSide)
        close(index)
    }

    /// A frame that breaks the rules, between two others.
    private func violate(_ index: Int) {
        let pipe = pipes[index]
        guard pipe.hasReader, pipe.hasWriter, pipe.written.isAtBorder, pipe.written.frameCount > 0 else {
            if stepCount < 2000 { schedule(5) { $0.violate(index) } }
            return
        }
        let garbage = [Frame.hello(), Frame.cancel(9999), Frame.frame(.message, .open), [1, 2, 3, 4, 5, 6, 7, 8]]
        isViolated[index] = true
        pipe.inject(garbage[random.number(0...3)])
        wake(1 - index)
    }

    private func close(_ index: Int) {
        if isClosed[index] { return }
        programs[index].note("closes")
        isClosed[index] = true
        pipes[index].hasWriter = false
        pipes[1 - index].closeReader()
        sides[1 - index].inbound.isPeerClosed = true
        wake(1 - index)
    }

    /// The edge that a poll would tell of.
    private func wake(_ index: Int) {
        sides[index].inbound.isReadable = true
    }

    // MARK: Moves

    private func take(_ index: Int) -> ValueSide.Read {
        let pipe = pipes[1 - index]
        if isClosed[index] { return .nothing }
        if pipe.isAtEnd { return pipes[index].wasLeftUnread ? .reset : .end }
        let bytes = pipe.read(atMost: random.number(1...options.paces[index]))
        return bytes.isEmpty ? .nothing : .bytes(bytes)
    }

    private func read(_ index: Int) -> Bool {
        if isClosed[index] { return false }
        let pipe = pipes[1 - index]
        let before = pipe.count
        let hasMoved = sides[index].pump()
        checkMemory(index)
        return hasMoved || pipe.count != before
    }

    private func write(_ index: Int) -> Bool {
        let side = sides[index]
        let pipe = pipes[index]
        if isClosed[index] { return false }
        if pipe.room > 0 { side.act { $0.socketBecameWritable() } }
        if !pipe.hasReader { return side.writeFails() }
        let limit = min(pipe.room, random.number(1...options.paces[2 + index]))
        guard limit > 0 || random.isOne(in: 10), let bytes = side.write(atMost: limit) else { return false }
        pipe.write(bytes)
        wake(1 - index)
        return !bytes.isEmpty
    }

    private func step(_ index: Int) -> Bool {
        if isKilled[index] { return false }
        // Its own, because what it does may need numbers here.
        var numbers = SeededRandom(random.next())
        return programs[index].step(&numbers)
    }

    private func closeIfDone(_ index: Int) -> Bool {
        if isClosed[index] || !sides[index].inbound.isExhausted || !sides[index].outbound.isEnded { return false }
        close(index)
        return true
    }

    private func move() -> Bool {
        let start = random.number(0...7)
        for offset in 0..<8 {
            let number = (start + offset) % 8
            let index = number % 2
            let hasMoved =
                switch number / 2 {
                case 0: read(index)
                case 1: write(index)
                case 2: step(index)
                default: closeIfDone(index)
                }
            if hasMoved {
                programs[index].checkWaiters(pipes[index].written.mainCount)
                return true
            }
        }
        return false
    }

    /// Moves until nothing can, and no event is left.
    private func runToRest() {
        while stepCount < Self.mostSteps {
            stepCount += 1
            if let next = events.first, next.step <= stepCount {
                events.removeFirst().event()
            } else if !move() {
                if events.isEmpty { return }
                events.removeFirst().event()
            }
            if hasMistakes { return }
        }
        mistakes.append("it does not come to rest")
    }

    // MARK: What has to hold

    private var allMistakes: [String] { mistakes + programs.flatMap(\.mistakes) }

    private var hasMistakes: Bool { !mistakes.isEmpty || programs.contains { !$0.mistakes.isEmpty } }

    private func require(_ condition: Bool, _ mistake: @autoclosure () -> String) {
        if !condition { mistakes.append(mistake()) }
    }

    /// The mistakes of the schedule, none if all is well.
    func run() -> [String] {
        runToRest()
        if allMistakes.isEmpty { checkRest() }
        for index in 0...1 {
            setPaused(index, false)
            attach(index)
        }
        if allMistakes.isEmpty { runToRest() }
        if allMistakes.isEmpty { checkRest() }
        for index in 0...1 { finish(index, .byThisSide) }
        if allMistakes.isEmpty { runToRest() }
        if allMistakes.isEmpty { checkEnd() }
        return allMistakes
    }

    private var isBroken: Bool { isKilled.contains(true) || isViolated.contains(true) }

    private func checkMemory(_ index: Int) {
        if hasHadConsumer[index] { return }
        let credit = sides[index].inbound.main.credit
        let limits = options.limits[index]
        let bound = max(limits.window, limits.mainWindow) + FrameHeader.largestBody + Cost.frame
        require(credit.offset - credit.taken <= bound, "more is kept than the window")
    }

    /// Nothing moves: all that is owed has come.
    private func checkRest() {
        for index in 0...1 where !isBroken {
            let (side, program, other) = (sides[index], programs[index], programs[1 - index])
            require(pipes[index].count == 0, "\(index): something is not read")
            if side.inbound.canDeliver || side.inbound.isDelivered {
                require(program.receivedCount == other.sent.count, "\(index): plain messages have not come")
            } else {
                let credit = side.inbound.main.credit
                let window = max(options.limits[index].window, options.limits[index].mainWindow)
                let hasAll = sides[1 - index].outbound.main.isEmpty
                require(hasAll || credit.offset - credit.taken >= window / 2, "\(index): less came than the window")
            }
            for part in program.parts.values {
                require(part.hasEnd, "\(index): \(part.key.text) has no end")
                require(part.isDone || part.isOver || !part.actions.isEmpty, "\(index): \(part.key.text) is not done")
                require(part.actions.isEmpty || part.isDone, "\(index): \(part.key.text) is stuck")
            }
            require(program.openingsLeft == 0 || side.outbound.closing != nil, "\(index): something was not opened")
        }
    }

    private func checkEnd() {
        for index in 0...1 {
            let (side, program, other) = (sides[index], programs[index], programs[1 - index])
            require(isClosed[index], "\(index): it is not closed, but \(side.outbound.state)")
            require(pipes[index].written.mistake == nil, "\(index): \(pipes[index].written.mistake ?? "")")
            require(program.receivedCount <= other.sent.count, "\(index): more came than was sent")
            require(program.waiters.values.isEmpty || isKilled[index], "\(index): a waiter is forgotten")
            if isKilled[index] { continue }
            // What came whole was delivered, unless it came after a violation.
            if !isViolated[1 - index], !isViolated[index] {
                require(
                    program.receivedCount == pipes[1 - index].written.mainCount, "\(index): what came was not delivered"
                )
            }
            for part in program.parts.values {
                require(part.hasEnd, "\(index): \(part.key.text) has no end")
                require(part.overCount <= 1, "\(index): \(part.key.text) has two ends")
            }
            checkErrors(index)
            if program.parts.isEmpty, other.parts.isEmpty { checkLost(index) }
        }
        if !isBroken { checkGraceful() }
    }

    private func checkErrors(_ index: Int) {
        let errors = programs[index].errors
        if isViolated[1 - index] {
            // None where it had closed before.
            require(errors.count <= 1 && !errors.contains("truncated"), "\(index): \(errors)")
        } else if isViolated[index] {
            require(errors == [] || errors == ["aborted: protocolViolation"] || errors == ["truncated"], "\(errors)")
        } else if isKilled[1 - index] {
            require(errors == [] || errors == ["truncated"], "\(index): \(errors)")
        } else {
            require(errors == [], "\(index): \(errors)")
        }
    }

    /// Of plain messages alone the ones that were lost are known.
    private func checkLost(_ index: Int) {
        for index in [index] + (isKilled[1 - index] ? [1 - index] : []) {
            let written = pipes[index].written.mainCount
            let lost = sides[index].outbound.lostCount
            require(programs[index].sent.count == written + lost, "\(index): \(written) written and \(lost) lost")
        }
    }

    private func checkGraceful() {
        for index in 0...1 {
            let side = sides[index]
            require(programs[index].receivedCount == programs[1 - index].sent.count, "plain messages were lost")
            require(side.isDelivered && pipes[index].written.hasEnded, "\(index): no end")
            require(side.outbound.lostCount == 0 && side.outbound.loss == nil, "\(index): something was lost")
            require(side.outbound.queuedCount == 0, "\(index): something is queued")
            require(side.outbound.conversations.count == 0, "\(index): a conversation is left")
        }
    }
}

@Suite("Two sides")
struct JoinedTests {
    /// `JOINED_SEED` runs a single schedule, and tells what happens; `FORK_TEST_SEEDS` says how many are run otherwise.
    @Test("whatever happens in whatever order, what is promised arrives")
    func schedules() {
        let environment = ProcessInfo.processInfo.environment
        let only = environment["JOINED_SEED"].flatMap { UInt64($0) }
        let count = environment["FORK_TEST_SEEDS"].flatMap { UInt64($0) } ?? 3000
        for seed in only.map({ $0...$0 }) ?? 1...max(1, count) {
            let mistakes = JoinedSchedule(seed: seed, isTraced: only != nil).run()
            #expect(mistakes.isEmpty, "JOINED_SEED=\(seed): \(mistakes.prefix(3))")
        }
    }
}

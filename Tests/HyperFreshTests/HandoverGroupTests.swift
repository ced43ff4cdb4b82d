import Synchronization
import Testing

@testable import HyperFresh

/// The order of admissions, and what happens to the remaining guests.
@Suite(.timeLimit(.minutes(1))) struct HandoverGroupTests {
    /// The current and the largest number of admitted guests.
    private final class Counter: Sendable {
        private let numbers = Mutex((now: 0, most: 0))

        var most: Int { numbers.withLock { $0.most } }

        func add(_ change: Int) {
            numbers.withLock { numbers in
                numbers.now += change
                numbers.most = max(numbers.most, numbers.now)
            }
        }
    }

    /// Requests a guest's admission and checks that it waits.
    private func ask(_ group: HandoffGroup, _ guest: String) async throws -> Task<Bool, Never> {
        let task = Task { await group.admit(guest) }
        while group.readiness(of: guest) == .preparing { try await Task.sleep(for: .milliseconds(1)) }
        return task
    }

    // MARK: Order and limit

    @Test func nobodyIsAdmittedBeforeEverybodyIsReady() async throws {
        let group = HandoffGroup(["a", "b", "c"], limit: 3)
        let a = try await ask(group, "a")
        let b = try await ask(group, "b")
        #expect(group.readiness(of: "a") == .waiting)
        #expect(group.readiness(of: "b") == .waiting)
        let c = try await ask(group, "c")
        #expect(await [a.value, b.value, c.value] == [true, true, true])
    }

    @Test func theyGoInTheOrderInWhichTheyWereReady() async throws {
        let group = HandoffGroup(["a", "b", "c"], limit: 1)
        let b = try await ask(group, "b")
        let c = try await ask(group, "c")
        let a = try await ask(group, "a")
        #expect(await b.value)
        #expect(group.readiness(of: "c") == .waiting)
        group.ended("b")
        #expect(await c.value)
        #expect(group.readiness(of: "a") == .waiting)
        group.ended("c")
        #expect(await a.value)
    }

    @Test(arguments: [(1, 1), (2, 2), (7, 7), (100, 40), (0, 1), (-3, 1)])
    func noMoreThanTheLimitAtOnce(limit: Int, most: Int) async throws {
        let guests = (0..<40).map { "guest\($0)" }
        let group = HandoffGroup(guests, limit: limit)
        let moving = Counter()
        let admitted = await withTaskGroup(of: Bool.self) { tasks in
            for guest in guests {
                tasks.addTask {
                    try? await Task.sleep(for: .microseconds(Int.random(in: 0..<3000)))
                    let isAdmitted = await group.admit(guest)
                    moving.add(1)
                    try? await Task.sleep(for: .microseconds(Int.random(in: 0..<2000)))
                    group.committed(guest)
                    moving.add(-1)
                    group.ended(guest)
                    return isAdmitted
                }
            }
            return await tasks.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(admitted == 40)
        #expect(moving.most <= most)
    }

    @Test func aGroupOfNobodyWaitsForNobody() {
        let group = HandoffGroup([], limit: 1)
        #expect(group.mayEndNew(for: "a"))
        group.callOff()
        group.ended("stranger")
    }

    // MARK: Failure

    @Test func whoFailsBeforeAllAreReadyCallsAllOff() async throws {
        let group = HandoffGroup(["a", "b", "c"], limit: 2)
        let a = try await ask(group, "a")
        group.ended("b")
        #expect(await a.value == false)
        // A guest that is ready later is not stopped either.
        #expect(await group.admit("c") == false)
    }

    @Test func whoFailsWhileItWaitsCallsAllOffToo() async throws {
        let group = HandoffGroup(["a", "b"], limit: 1)
        let a = try await ask(group, "a")
        a.cancel()
        #expect(await a.value == false)
        group.ended("a")
        #expect(await group.admit("b") == false)
    }

    @Test func whoFailsOnceSomebodyWasStoppedFailsAlone() async throws {
        let group = HandoffGroup(["a", "b", "c"], limit: 1)
        let a = try await ask(group, "a")
        let b = try await ask(group, "b")
        let c = try await ask(group, "c")
        #expect(await a.value)
        group.ended("a")
        #expect(await b.value)
        group.committed("b")
        group.ended("b")
        #expect(await c.value)
        group.ended("c")
    }

    @Test func calledOffIsForGood() async throws {
        let group = HandoffGroup(["a", "b", "c"], limit: 1)
        let tasks = [try await ask(group, "a"), try await ask(group, "b")]
        group.callOff()
        group.callOff()
        for task in tasks { #expect(await task.value == false) }
        #expect(await group.admit("c") == false)
    }

    @Test func whoIsOnItsWayMayGoOnWhenTheRestIsCalledOff() async throws {
        let group = HandoffGroup(["a", "b"], limit: 1)
        let a = try await ask(group, "a")
        let b = try await ask(group, "b")
        #expect(await a.value)
        group.callOff()
        #expect(await b.value == false)
        group.committed("a")
        group.ended("a")
        group.ended("b")
    }

    // MARK: Cancellation

    @Test func aTaskThatIsCancelledAlreadyIsNotAdmitted() async {
        let group = HandoffGroup(["a"], limit: 1)
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return await group.admit("a")
        }
        task.cancel()
        #expect(await task.value == false)
        #expect(group.readiness(of: "a") == .preparing)
    }

    @Test func aCancelAfterTheAdmissionChangesNothing() async throws {
        let group = HandoffGroup(["a", "b"], limit: 2)
        let a = try await ask(group, "a")
        let b = try await ask(group, "b")
        #expect(await a.value)
        a.cancel()
        #expect(await b.value)
        #expect(group.readiness(of: "a") == .moving)
    }

    /// Each wait ends exactly once in every case; otherwise this test hangs, or Swift's runtime aborts the process.
    @Test func whateverHappensEveryWaitEnds() async {
        for round in 0..<200 {
            let guests = (0..<8).map { "guest\($0)" }
            let group = HandoffGroup(guests, limit: round % 4)
            let admitted = Counter()
            await withTaskGroup(of: Void.self) { tasks in
                for guest in guests {
                    tasks.addTask {
                        let task = Task { await group.admit(guest) }
                        if Int.random(in: 0..<4) == 0 { task.cancel() }
                        if await task.value {
                            admitted.add(1)
                            if Bool.random() { group.committed(guest) }
                        }
                        group.ended(guest)
                    }
                }
                if round % 3 == 0 { tasks.addTask { group.callOff() } }
                if round % 5 == 0 { tasks.addTask { _ = group.mayEndNew(for: "guest0") } }
            }
            #expect(admitted.most <= guests.count)
            for guest in guests { #expect(group.readiness(of: guest) == .ended) }
        }
    }

    // MARK: Which hypervisors may be ended

    @Test func theNewOneMayGoUntilAGuestIsItsOwn() async throws {
        let group = HandoffGroup(["a", "b"], limit: 2)
        let a = try await ask(group, "a")
        let b = try await ask(group, "b")
        #expect(await a.value)
        #expect(await b.value)
        #expect(!group.mayEndNew(for: "a"), "b may commit at any moment")
        group.committed("b")
        #expect(!group.mayEndNew(for: "a"))
        group.ended("b")
        #expect(!group.mayEndNew(for: "a"))
    }

    @Test func nobodyCommitsToANewOneThatIsBeingEnded() async throws {
        let group = HandoffGroup(["a", "b"], limit: 1)
        let a = try await ask(group, "a")
        let b = try await ask(group, "b")
        #expect(await a.value)
        #expect(group.mayEndNew(for: "a"))
        group.ended("a")
        #expect(await b.value == false)
    }

    /// It may have guests of an earlier refresh, or other containers.
    @Test func aNewOneThatThisRunHasNotStartedStays() {
        let group = HandoffGroup(["a"], limit: 1, isNewOwn: false)
        #expect(!group.mayEndNew(for: "a"))
    }
}

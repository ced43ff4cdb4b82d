import Handoff

/// Walks through every situation that can be reached, and holds each to the rules.
struct Explorer {
    struct Verdict {
        let situations: Int
        let moves: Int
        let machines: Int
        let violation: Violation?
        /// How to get there: the moves of a shortest way to the violation.
        let trail: [String]
        /// Every recovery that was decided on.
        let rows: [Row: RecoveryDecision]
        let outcomes: Set<HandoffOutcome>
    }

    /// What a recovery was decided on.
    struct Row: Hashable {
        let recorded: HandoffState
        let old: SideObservation
        let new: SideObservation
        let outsideHandWasHere: Bool

        var nobodyIsSilent: Bool { old != .silent && new != .silent }
    }

    let rules: Rules

    private var situations: [Situation] = []
    private var parents: [Int32] = []
    private var indices: [UInt64: Int32] = [:]
    private var moveCount = 0
    // The moves that come about in time, for the way back from the ends.
    private var certainFrom: [Int32] = []
    private var certainTo: [Int32] = []
    private var rows: [Row: RecoveryDecision] = [:]
    private var outcomes: Set<HandoffOutcome> = []

    init(_ rules: Rules) { self.rules = rules }

    static func explore(
        _ subject: Subject, guestRan: Bool = true, hasReturnPath: Bool = true, isRehearsal: Bool = false,
        admitsOutsideHand: Bool = false, guestMayEnd: Bool = false
    ) -> Verdict {
        let rules = Rules(
            subject: subject, isRehearsal: isRehearsal, admitsOutsideHand: admitsOutsideHand, guestMayEnd: guestMayEnd)
        var explorer = Explorer(rules)
        return explorer.explore(guestRan: guestRan, hasReturnPath: hasReturnPath)
    }

    private mutating func explore(guestRan: Bool, hasReturnPath: Bool) -> Verdict {
        var current = 0
        do throws(Violation) {
            _ = number(of: try rules.start(guestRan: guestRan, hasReturnPath: hasReturnPath), from: -1)
            while current < situations.count {
                try visit(current)
                current += 1
            }
        } catch {
            return verdict(error, at: current)
        }
        if let index = firstWithUnrepeatableRecovery() { return verdict(.secondRecoveryDiffers, at: index) }
        if !rules.subject.keepsSilentAfterFinish() { return verdict(.spokeAfterFinish, at: 0) }
        if let stuck = firstWithoutEnd() { return verdict(.stuck, at: stuck) }
        return verdict(nil, at: 0)
    }

    private mutating func visit(_ current: Int) throws(Violation) {
        let situation = situations[current]
        if let violation = situation.world.violation(isRehearsal: rules.isRehearsal) { throw violation }
        try rules.moves(from: situation) { (move, next, isCertain) throws(Violation) in
            let index = number(of: next, from: current)
            moveCount += 1
            if isCertain {
                certainFrom.append(Int32(current))
                certainTo.append(index)
            }
            note(move, in: situation.world)
        }
    }

    private mutating func note(_ move: Move, in world: World) {
        switch move {
        case .starts(let old, let new, let decision):
            guard let recorded = world.journal else { return }
            let hand = world.outsideHandWasHere
            rows[Row(recorded: recorded, old: old, new: new, outsideHandWasHere: hand)] = decision
        case .performs(.finish(let outcome)): outcomes.insert(outcome)
        default: break
        }
    }

    private mutating func number(of situation: Situation, from parent: Int) -> Int32 {
        let key = situation.key
        if let known = indices[key] { return known }
        let index = Int32(situations.count)
        indices[key] = index
        situations.append(situation)
        parents.append(Int32(parent))
        return index
    }
}

// MARK: - Ends

extension Explorer {
    private func firstWithUnrepeatableRecovery() -> Int? {
        situations.firstIndex {
            $0.phase == .away && !$0.world.outsideHandWasHere && !rules.canRepeatRecovery(in: $0.world)
        }
    }

    /// The first situation from which no end can be reached by what is certain to come about.
    private func firstWithoutEnd() -> Int? {
        // Predecessors, packed: those of a situation lie between two offsets.
        var offsets = [Int32](repeating: 0, count: situations.count + 1)
        for to in certainTo { offsets[Int(to) + 1] += 1 }
        for index in 1..<offsets.count { offsets[index] += offsets[index - 1] }
        var next = offsets
        var predecessors = [Int32](repeating: 0, count: certainTo.count)
        for index in certainTo.indices {
            let to = Int(certainTo[index])
            predecessors[Int(next[to])] = certainFrom[index]
            next[to] += 1
        }
        var reaches = [Bool](repeating: false, count: situations.count)
        var work: [Int] = []
        for index in situations.indices where situations[index].isEnd {
            reaches[index] = true
            work.append(index)
        }
        while let index = work.popLast() {
            for at in offsets[index]..<offsets[index + 1] {
                let predecessor = Int(predecessors[Int(at)])
                if reaches[predecessor] { continue }
                reaches[predecessor] = true
                work.append(predecessor)
            }
        }
        // What somebody else did may need somebody to undo it.
        return situations.indices.first { !reaches[$0] && !situations[$0].world.outsideHandWasHere }
    }

    private func verdict(_ violation: Violation?, at index: Int) -> Verdict {
        Verdict(
            situations: situations.count, moves: moveCount, machines: rules.subject.machineCount,
            violation: violation, trail: violation == nil ? [] : trail(to: index), rows: rows,
            outcomes: outcomes)
    }

    private func trail(to index: Int) -> [String] {
        var trail: [String] = []
        var index = index
        while parents[index] >= 0 {
            let parent = Int(parents[index])
            let key = situations[index].key
            var step = "?"
            try? rules.moves(from: situations[parent]) { (move, next, _) throws(Violation) in
                if next.key == key { step = move.description }
            }
            trail.insert(step, at: 0)
            index = parent
        }
        return trail
    }
}

extension Situation {
    /// Nothing is left to do: no controller is at work, and the journal, if anything was done at all, says how it ended.
    var isEnd: Bool { phase == .away && (world.journal?.isFinal ?? true) }
}

import Handoff
import Testing

/// A handoff told event by event, each with what the machine orders next.
struct Story {
    private(set) var machine: HandoffMachine

    var outcome: HandoffOutcome? { machine.outcome }
    var state: HandoffState { machine.state }

    init(isRehearsal: Bool = false, sourceLocation: SourceLocation = #_sourceLocation) {
        machine = HandoffMachine(isRehearsal: isRehearsal)
        #expect(machine.begin() == [.record(.planned)], sourceLocation: sourceLocation)
    }

    /// Tells the machine of an event, and expects just these orders.
    mutating func hears(
        _ event: HandoffEvent, _ actions: HandoffAction..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let ordered = machine.handle(event)
        #expect(ordered == actions, "after \(event)", sourceLocation: sourceLocation)
    }

    // Where most stories are the same.

    /// Up to a new side that was ordered.
    static func planned(isRehearsal: Bool = false) -> Story {
        var story = Story(isRehearsal: isRehearsal)
        story.hears(.recorded(.planned), .launchNew)
        return story
    }

    /// Up to two sides that are linked, which is not on record yet.
    static func linked(guestRuns: Bool = true, isRehearsal: Bool = false) -> Story {
        var story = planned(isRehearsal: isRehearsal)
        story.hears(.launched, .record(.launched))
        story.hears(.recorded(.launched), .link)
        story.hears(.linked(guestRuns: guestRuns), .record(.linked))
        return story
    }

    /// Up to an old side that was told to hand over.
    static func switching(guestRuns: Bool = true) -> Story {
        var story = linked(guestRuns: guestRuns)
        story.hears(.recorded(.linked), .record(.switching))
        story.hears(.recorded(.switching), .beginSwitch)
        return story
    }

    /// Up to both sides having completed, with the commit record ordered.
    static func loaded(guestRuns: Bool = true) -> Story {
        var story = switching(guestRuns: guestRuns)
        story.hears(.newCompleted)
        story.hears(.oldCompleted, .record(.committed))
        return story
    }

    /// Up to a new side that was told to run.
    static func committed() -> Story {
        var story = loaded()
        story.hears(.recorded(.committed), .resumeNew)
        return story
    }

    /// Up to an old side that is being retired.
    static func running() -> Story {
        var story = committed()
        story.hears(.newResumed, .record(.running))
        story.hears(.recorded(.running), .retireOld)
        return story
    }
}

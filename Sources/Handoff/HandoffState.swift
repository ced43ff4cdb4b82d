/// How far a handoff has progressed.
///
/// ```
/// planned ─▶ launched ─▶ linked ─▶ switching ─▶ loaded ─▶ committed ─▶ running ─▶ retired
///    │          │           │          │           │           │          │
///    └──────────┴───────────┼──────────┴───────────┘           └──────────┴──▶ lost
///                           ▼                                                    ▲
///                      rollingBack ─▶ rolledBack                                 │
///                           └────────────────────────────────────────────────────┘
/// ```
///
/// The old side owns the guest up to and including ``loaded``, the new side from ``committed`` on. The journal stores
/// the raw values; their meaning never changes.
package enum HandoffState: String, Sendable, Hashable, CaseIterable {
    /// The plan is made and recorded; nothing has been touched.
    case planned
    /// The new side exists and waits, its vCPUs stopped.
    case launched
    /// Both sides agreed on capabilities, and their memory is proven to be the same.
    case linked
    /// The old side was told, or is about to be told, to hand over its state.
    case switching
    /// Both sides have completed: the old one is stopped, the new one is loaded and paused.
    case loaded
    /// The commit record is written: from now on only the new side may ever run.
    case committed
    /// The new side has the guest, running or paused as it was before.
    case running
    /// The old side is gone and every endpoint is at its permanent name: the end of a successful refresh.
    case retired
    /// Something failed before commit; the new side is being removed and the old one restored.
    case rollingBack
    /// The guest is on the old side, as it was before: the end of a failed refresh, and of a rehearsal.
    case rolledBack
    /// The side that owned the guest died: a final state; nothing is resurrected.
    case lost

    /// Whether nothing is left to do for a handoff in this state.
    package var isFinal: Bool { self == .retired || self == .rolledBack || self == .lost }

    /// Whether only the new side may run the guest.
    package var isCommitted: Bool { self == .committed || self == .running || self == .retired }
}

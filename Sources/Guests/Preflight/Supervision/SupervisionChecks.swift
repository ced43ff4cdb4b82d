internal import Linux

/// Whether somebody acts when the old QEMU ends: kills the new one, starts another one, or cleans up after it.
///
/// Only descent is looked at here; systemd is asked for its units elsewhere.
struct SupervisionChecks {
    let parentage: Parentage

    init(_ parentage: Parentage) {
        self.parentage = parentage
    }

    /// The findings on a guest's process; a refusal where it cannot be told who would act.
    static func findings(of guest: GuestProcess) -> [Finding] {
        do throws(SystemError) {
            return SupervisionChecks(try Parentage.read(guest)).findings
        } catch {
            return [
                Finding(
                    .parentActs, .fail, "it cannot be told who acts when the guest's QEMU ends",
                    evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
    }

    /// One at least for each check.
    var findings: [Finding] {
        if parentage.isFirst { return [namespaceEnds(with: parentage.guest)] }
        return [namespace] + parents
    }

    // MARK: - The pid namespace

    private var namespace: Finding {
        let id = FindingID.pidNamespaceEnds
        guard let first = parentage.first else {
            return Finding(
                id, .fail, "the first process of the guest's pid namespace cannot be found",
                remedy: "Run hyperfresh as root, where that process can be seen.")
        }
        if mayEndWithGuest(first) { return namespaceEnds(with: first) }
        guard parentage.hasOwnNamespace else { return Finding(id, .pass, "no pid namespace ends with the old QEMU") }
        return Finding(
            id, .warn, "the guest is in a pid namespace: when \(first.name) ends, the kernel ends the new QEMU too",
            evidence: [Self.line(first)],
            remedy: "Nothing, if that process does not wait for the old QEMU in some way of its own.")
    }

    /// Whether the first process of the namespace ends when the old QEMU does, or may.
    private func mayEndWithGuest(_ first: Ancestor) -> Bool {
        guard !parentage.isOrphan, let index = parentage.ancestors.firstIndex(where: { $0.pid == first.pid }) else {
            return false
        }
        let below = parentage.ancestors[..<index]
        if below.contains(where: \.outlivesItsChildren) { return false }
        switch first.role {
        case .initProcess, .supervisor, .interactiveShell, .session: return false
        case .reaper:
            // It waits for its first child alone; the others it has adopted.
            return parentage.oldestChild == (below.last ?? parentage.guest).pid
        case .unknown where !parentage.hasOwnNamespace:
            // The whole machine's first process, or a container's in which we are: what left its session was adopted.
            return parentage.guest.session == first.session && first.session != 0
        case .containerRuntime, .wrapper, .script, .unknown: return true
        }
    }

    private func namespaceEnds(with first: Ancestor) -> Finding {
        let isItself = first.pid == parentage.guest.pid
        return Finding(
            .pidNamespaceEnds, .fail,
            isItself
                ? "the old QEMU is the first process of its pid namespace: when it ends, the kernel ends the new one too"
                : "\(first.name), the first process of the guest's pid namespace, waits for the old QEMU: when it ends, the "
                    + "kernel ends the new one too",
            evidence: ([first] + (isItself ? [] : parentage.ancestors.filter { $0.pid != first.pid })).map(Self.line),
            remedy: "Start the guest anew below a first process that stays: qemu-system-… -daemonize, then "
                + "`sleep infinity`; or without a pid namespace (docker run --pid=host, unshare without -p).")
    }

    // MARK: - Who waits

    private var parents: [Finding] {
        let id = FindingID.parentActs
        guard !parentage.isOrphan else { return [Finding(id, .pass, "no process waits for the old QEMU")] }
        var waits: [Ancestor] = []
        var child = parentage.guest
        for ancestor in parentage.ancestors {
            // What the first process of a machine adopts, it only buries.
            if ancestor.pid == 1, !parentage.hasOwnNamespace, ![.script, .interactiveShell].contains(ancestor.role) {
                break
            }
            switch ancestor.role {
            case .supervisor: return [restarts(ancestor, "it starts again what ends")]
            case .containerRuntime: return [cleansUp(ancestor)]
            case .initProcess:
                guard parentage.hasOwnNamespace else { return [conclusion(waits)] }
                return [restarts(ancestor, "what it does then cannot be asked from here")]
            case .script:
                if mayRunAgain(child, by: ancestor) { return [restarts(ancestor, "its script has a loop around QEMU")] }
                waits.append(ancestor)
            case .wrapper, .reaper: waits.append(ancestor)
            case .interactiveShell, .session, .unknown: return [conclusion(waits + [ancestor])]
            }
            child = ancestor
        }
        return [conclusion(waits)]
    }

    private func mayRunAgain(_ child: Ancestor, by shell: Ancestor) -> Bool {
        guard case .text(let text) = shell.scriptText else { return false }
        let names = Set(
            [child.command, child.program, child.scriptName ?? "", Ancestor.baseName(child.arguments.first ?? "")]
                .filter { !$0.isEmpty })
        return ShellScript(text).mayRunAgain { word in
            names.contains(Ancestor.baseName(word)) || QEMURecognition.isEmulatorName(Ancestor.baseName(word))
        }
    }

    private func conclusion(_ waits: [Ancestor]) -> Finding {
        let id = FindingID.parentActs
        guard let nearest = waits.first else { return Finding(id, .pass, "no process waits for the old QEMU") }
        return Finding(
            id, .warn, "\(nearest.name) waits for the old QEMU: it sees it killed, and may act on that",
            evidence: waits.map(Self.line),
            remedy: "Look at what it does when QEMU ends: it must not start the guest again, nor remove its files.")
    }

    private func restarts(_ ancestor: Ancestor, _ why: String) -> Finding {
        // A shell or supervisor that is killed starts nothing any more; init adopts the QEMU.
        let letGo = ancestor.role == .script && !ancestor.readsTerminal
        return Finding(
            .supervisorRestarts, .fail,
            "\(ancestor.name) would start a second QEMU, or end the new one, when the old one ends: \(why)",
            evidence: [Self.line(ancestor)],
            remedy: letGo
                ? "kill -9 \(ancestor.pid)  (that shell ends, and its loop; the guest goes on without it)"
                : "Start the guest anew without it (-daemonize, or a systemd service with Restart=no).")
    }

    private func cleansUp(_ ancestor: Ancestor) -> Finding {
        Finding(
            .parentActs, .fail, "\(ancestor.name) takes the guest's container away when the old QEMU ends",
            evidence: [Self.line(ancestor)],
            remedy: "Start the guest below a first process that stays, not as the container's own (-daemonize).")
    }

    private static func line(_ ancestor: Ancestor) -> String {
        let words = ancestor.arguments.joined(separator: " ").split(whereSeparator: \.isNewline).joined(separator: "; ")
        var line = "\(ancestor.name): " + (words.count > 120 ? "\(words.prefix(120))…" : words)
        if case .unreadable(let why) = ancestor.scriptText { line += " (its commands cannot be read: \(why))" }
        return line
    }
}

extension Ancestor {
    /// Whether it stays when a child of its ends.
    fileprivate var outlivesItsChildren: Bool {
        switch role {
        case .initProcess, .supervisor, .interactiveShell, .session: true
        case .reaper, .containerRuntime, .wrapper, .script, .unknown: false
        }
    }
}

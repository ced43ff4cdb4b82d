internal import Linux

/// Checks whether a process acts when the old QEMU ends: kills the new one, starts another one, or cleans up after it.
///
/// Checks descent only; another check queries systemd for its units.
struct SupervisionChecks {
    let parentage: Parentage

    init(_ parentage: Parentage) {
        self.parentage = parentage
    }

    /// Returns the findings on a guest's process; a failure if it cannot be determined which process would act.
    static func findings(of guest: GuestProcess) -> [Finding] {
        do throws(SystemError) {
            return SupervisionChecks(try Parentage.read(guest)).findings
        } catch {
            return [
                Finding(
                    .parentActs, .fail, "cannot determine which process acts when the guest's QEMU ends",
                    evidence: ["\(error)"], remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
            ]
        }
    }

    /// The findings, at least one for each check.
    var findings: [Finding] {
        if parentage.isFirst { return [namespaceEnds(with: parentage.guest)] }
        return [namespace] + parents
    }

    // MARK: - The pid namespace

    private var namespace: Finding {
        let id = FindingID.pidNamespaceEnds
        guard let first = parentage.first else {
            return Finding(
                id, .fail, "cannot find the first process of the guest's pid namespace",
                remedy: "Run hyperfresh as root, in a pid namespace in which that process is visible.")
        }
        if mayEndWithGuest(first) { return namespaceEnds(with: first) }
        guard parentage.hasOwnNamespace else { return Finding(id, .pass, "no pid namespace ends with the old QEMU") }
        return Finding(
            id, .warn, "the guest is in a pid namespace: when \(first.name) ends, the kernel kills the new QEMU",
            evidence: [Self.line(first)],
            remedy: "No action is needed unless that process waits for the old QEMU in its own way.")
    }

    /// Returns whether the first process of the namespace ends, or may end, when the old QEMU does.
    private func mayEndWithGuest(_ first: Ancestor) -> Bool {
        guard !parentage.isOrphan, let index = parentage.ancestors.firstIndex(where: { $0.pid == first.pid }) else {
            return false
        }
        let below = parentage.ancestors[..<index]
        if below.contains(where: \.outlivesItsChildren) { return false }
        switch first.role {
        case .initProcess, .supervisor, .interactiveShell, .session: return false
        case .reaper:
            // It waits only for its first child; it adopted the others.
            return parentage.oldestChild == (below.last ?? parentage.guest).pid
        case .unknown where !parentage.hasOwnNamespace:
            // The first process of the whole machine, or of our container: it adopted processes that left its session.
            return parentage.guest.session == first.session && first.session != 0
        case .containerRuntime, .wrapper, .script, .unknown: return true
        }
    }

    private func namespaceEnds(with first: Ancestor) -> Finding {
        let isItself = first.pid == parentage.guest.pid
        return Finding(
            .pidNamespaceEnds, .fail,
            isItself
                ? "the old QEMU is the first process of its pid namespace: when it ends, the kernel kills the new one"
                : "\(first.name), the first process of the guest's pid namespace, waits for the old QEMU: when it "
                    + "ends, the kernel kills the new one",
            evidence: ([first] + (isItself ? [] : parentage.ancestors.filter { $0.pid != first.pid })).map(Self.line),
            remedy: "Restart the guest below a first process that keeps running: qemu-system-… -daemonize, then "
                + "`sleep infinity`; or without a pid namespace (docker run --pid=host, unshare without -p).")
    }

    // MARK: - Waiting processes

    private var parents: [Finding] {
        let id = FindingID.parentActs
        guard !parentage.isOrphan else { return [Finding(id, .pass, "no process waits for the old QEMU")] }
        var waits: [Ancestor] = []
        var child = parentage.guest
        for ancestor in parentage.ancestors {
            // The first process of a machine only reaps the processes that it adopts.
            if ancestor.pid == 1, !parentage.hasOwnNamespace, ![.script, .interactiveShell].contains(ancestor.role) {
                break
            }
            switch ancestor.role {
            case .supervisor: return [restarts(ancestor, "it restarts what ends")]
            case .containerRuntime: return [cleansUp(ancestor)]
            case .initProcess:
                guard parentage.hasOwnNamespace else { return [conclusion(waits)] }
                return [restarts(ancestor, "what it does then is not visible from here")]
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
            id, .warn, "\(nearest.name) waits for the old QEMU, and may act when it is killed",
            evidence: waits.map(Self.line),
            remedy: "Check what it does when QEMU ends: it must neither restart the guest nor remove its files.")
    }

    private func restarts(_ ancestor: Ancestor, _ why: String) -> Finding {
        // A killed shell or supervisor starts nothing; init adopts the QEMU.
        let letGo = ancestor.role == .script && !ancestor.readsTerminal
        return Finding(
            .supervisorRestarts, .fail,
            "\(ancestor.name) would start a second QEMU, or kill the new one, when the old one ends: \(why)",
            evidence: [Self.line(ancestor)],
            remedy: letGo
                ? "kill -9 \(ancestor.pid)  (ends that shell and its loop; the guest keeps running)"
                : "Restart the guest without it (-daemonize, or a systemd service with Restart=no).")
    }

    private func cleansUp(_ ancestor: Ancestor) -> Finding {
        Finding(
            .parentActs, .fail, "\(ancestor.name) removes the guest's container when the old QEMU ends",
            evidence: [Self.line(ancestor)],
            remedy: "Restart the guest below a first process that keeps running, not as the first one (-daemonize).")
    }

    private static func line(_ ancestor: Ancestor) -> String {
        let words = ancestor.arguments.joined(separator: " ").split(whereSeparator: \.isNewline).joined(separator: "; ")
        var line = "\(ancestor.name): " + (words.count > 120 ? "\(words.prefix(120))…" : words)
        if case .unreadable(let why) = ancestor.scriptText { line += " (its commands cannot be read: \(why))" }
        return line
    }
}

extension Ancestor {
    /// Whether it keeps running when one of its children ends.
    fileprivate var outlivesItsChildren: Bool {
        switch role {
        case .initProcess, .supervisor, .interactiveShell, .session: true
        case .reaper, .containerRuntime, .wrapper, .script, .unknown: false
        }
    }
}

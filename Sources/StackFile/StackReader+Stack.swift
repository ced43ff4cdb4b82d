extension StackReader {
    /// Reads a whole stack file.
    func stack(_ root: YAMLTree) -> Stack? {
        let keys = ["version", "name", "hyperplexor", "networks", "hypervisors", "systems"]
        guard let section = section(root, of: "a stack", keys: keys) else { return nil }
        version(section)
        let name = name(section)
        let hyperplexor = hyperplexor(section, stack: name ?? "stack")
        let earlierProblems = problems.count
        let networks = networks(section)
        let context = GuestContext(
            stack: name ?? "stack", networks: Set(networks.map(\.name)),
            areNetworksKnown: problems.count == earlierProblems)
        if ["hypervisors", "systems"].allSatisfy({ section.values[$0]?.isEmpty ?? true }) {
            report(
                "a stack needs `hypervisors` or `systems`",
                at: section.values["hypervisors"] ?? section.values["systems"] ?? section.node,
                remedy: "Add `hypervisors:` (for guests) or `systems:` (for containers) with at least one `- name: …`.")
        }
        let hypervisors =
            hypervisors(section, context: context, hyperplexor: hyperplexor)
            + systems(section, context: context, hyperplexor: hyperplexor)
        checkCores(hyperplexor, hypervisors: hypervisors, at: section)
        guard let name else { return nil }
        return Stack(
            name: name, directory: directory, hyperplexor: hyperplexor, networks: networks, hypervisors: hypervisors)
    }

    private func version(_ section: StackSection) {
        guard let node = section.values["version"] else {
            report("a stack needs `version`", at: section.node, remedy: "Add `version: 1` as the first line.")
            return
        }
        if case .scalar("1", isPlain: true) = node.content { return }
        report(
            "`version` must be 1; found \(node.kind)", at: node,
            remedy: "Write `version: 1`; a later version needs a later hyperfresh.")
    }

    // MARK: - The hyperplexor

    private func hyperplexor(_ stack: StackSection, stack name: String) -> HyperplexorSpec {
        var spec = HyperplexorSpec(
            memoryDirectory: "/dev/shm/hyperfresh-\(name)", hugePages: .none, cores: [], accelerator: .auto,
            qemu: "/usr/bin/qemu-system-x86_64")
        let keys = ["memory-directory", "huge-pages", "cores", "accelerator", "qemu"]
        guard let node = stack.values["hyperplexor"], let section = section(node, of: "the hyperplexor", keys: keys)
        else { return spec }
        spec.hugePages = choice(section, "huge-pages", default: .none)
        spec.accelerator = choice(section, "accelerator", default: .auto)
        spec.cores = cores(section)
        if let path = path(section, "memory-directory") {
            spec.memoryDirectory = path
        } else if [.twoMiB, .oneGiB].contains(spec.hugePages), section.values["memory-directory"] == nil,
            let node = section.values["huge-pages"]
        {
            report(
                "`huge-pages: \(spec.hugePages.rawValue)` needs a `memory-directory` on a hugetlbfs", at: node,
                remedy: "Add `memory-directory: /dev/hugepages/hyperfresh-\(name)`, or a folder on another hugetlbfs.")
        }
        if let node = section.values["qemu"], let text = text(node, "`qemu`") {
            if text.contains("/") {
                spec.qemu = absolute(text)
            } else {
                report(
                    "`qemu` must be the path of a program; found `\(text)`", at: node,
                    remedy: "Write /usr/bin/\(text).")
            }
        }
        return spec
    }

    private func cores(_ section: StackSection) -> [Int] {
        var cores: [Int] = []
        for element in elements(section, "cores") {
            guard let range = range(element) else { continue }
            for core in range where cores.contains(core) {
                report("core \(core) is given twice", at: element, remedy: "List each core once.")
            }
            cores.append(contentsOf: range.filter { !cores.contains($0) })
        }
        return cores
    }

    /// Reads one core or several: `4` or `4-7`.
    private func range(_ node: YAMLTree) -> ClosedRange<Int>? {
        if case .scalar(let text, _) = node.content {
            let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            if let low = ends.first ?? nil, let high = ends.last ?? nil, ends.count <= 2, low >= 0, low <= high,
                high < 8192
            {
                return low...high
            }
        }
        report(
            "an element of `cores` must be a core's number or a range such as 4-7; found \(node.kind)", at: node,
            remedy: "Run `lscpu -e` to list the cores of this host.")
        return nil
    }

    /// Requires a core for each vCPU: two vCPUs must not share one.
    private func checkCores(_ hyperplexor: HyperplexorSpec, hypervisors: [HypervisorSpec], at stack: StackSection) {
        let needed = hypervisors.reduce(0) { $0 + $1.cpus }
        guard !hyperplexor.cores.isEmpty, needed > hyperplexor.cores.count else { return }
        report(
            "hypervisors and systems have \(needed) CPUs together, but `cores` names \(hyperplexor.cores.count)",
            at: stack.values["hyperplexor"] ?? stack.node,
            remedy: "List a core for each CPU, give them fewer CPUs, or remove `cores`.")
    }
}

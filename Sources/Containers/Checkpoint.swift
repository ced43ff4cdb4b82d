public import Hypervisors

/// How a container is taken out of an OS VM, by CRIU; ``ContainerPlace/expect(over:)`` and the rest of Restore.swift put it into another.
///
/// CRIU is called itself, not through runc: runc can neither keep what it restored from running until it may, nor keep what
/// it dumped for the case that it must come back (docs/decisions/0012-criu-without-runc.md).
extension ContainerPlace {
    /// What all calls of CRIU have in common: `$pid` is the container's first process.
    ///
    /// Its network namespace is not CRIU's to move: the new OS VM has one like it.
    private var common: String {
        """
        pid=$(cat \(files.pidFile))
        network=$(stat --dereference --format=%i \(files.networkNamespace))
        common="--tree $pid --track-mem --external net[$network]:network --root \(files.root) \(CRIUOptions.shared)"
        """
    }

    /// A shell line that says that CRIU is at work on the container, until the file is emptied or the script has ended.
    ///
    /// Whoever killed CRIU would leave its code in the processes: it is waited for.
    private var atWork: String { "echo $$ >\(files.directory)/at-work" }

    /// Shell lines that wait until CRIU is not at work any more, whoever started it.
    private var leftAlone: String {
        """
        tries=0
        while [ -s \(files.directory)/at-work ] && kill -0 $(cat \(files.directory)/at-work) 2>/dev/null; do
            tries=$((tries + 1)); [ $tries -lt 300 ] || { echo "CRIU is still at work on it" >&2; exit 1; }
            sleep 0.1
        done
        """
    }

    /// Copies memory into the image store while the container runs: all of it, then what was written since.
    ///
    /// - Parameter round: From 0, each once.
    /// - Returns: How many bytes were copied, and how many the store has left.
    /// - Throws: ``HypervisorError`` with CRIU's words; the container is as it was.
    public func copyMemory(round: Int) async throws(HypervisorError) -> (copied: UInt64, left: UInt64) {
        let before = round > 0 ? "--prev-images-dir ../\(round - 1)" : ""
        let text = try await agent.run(
            """
            \(atWork); trap 'rm -f \(files.directory)/at-work' EXIT
            \(mounting)
            images=\(files.store)/\(round)
            rm -rf $images; mkdir $images
            \(common)
            criu pre-dump $common --images-dir $images \(before) --log-file criu.log >/dev/null 2>&1 || {
                grep Error $images/criu.log >&2; exit 1; }
            cat $images/pages-*.img | wc -c
            echo $(($(stat --file-system --format='%a * %S' \(files.store))))
            """, to: "copy the memory of container \(name)", within: .seconds(120))
        let numbers = text.split(whereSeparator: \.isWhitespace).compactMap { UInt64($0) }
        guard numbers.count == 2 else {
            throw HypervisorError(
                "it cannot be said how much of container \(name) was copied",
                remedy: "See the console of its OS VM.", evidence: [text])
        }
        return (copied: numbers[0], left: numbers[1])
    }

    /// Makes everything ready for ``leave(over:within:)``: a script waits for the word, so that nothing is prepared while the
    /// container stands still.
    ///
    /// - Parameters:
    ///   - rounds: How many rounds of copying went before.
    ///   - channel: Where the script waits.
    /// - Throws: ``HypervisorError``.
    public func poise(afterRounds rounds: Int, over channel: ControlChannel) async throws(HypervisorError) {
        let before = rounds > 0 ? "--prev-images-dir ../\(rounds - 1)" : ""
        let purpose = "get container \(name) ready"
        try await agent.run(
            """
            images=\(files.store)/\(rounds)
            \(mounting)
            rm -rf $images; mkdir $images
            \(common)
            for descriptor in 1 2; do readlink /proc/$pid/fd/$descriptor || true; done | grep '^pipe:' | sort -u >$images/output || true
            cp /run/runc/\(name)/state.json $images/runc.json
            cp \(files.runtimeBundle)/config.json $images/config.json
            echo $pid >$images/pid
            while read -r process; do
                grep --files-with-matches '^it_interval' /proc/$process/fdinfo/* 2>/dev/null || true
            done <\(files.controlGroupFolder)/cgroup.procs >$images/timers
            echo \(rounds) >\(files.store)/last
            printf '%s\\n' criu dump $common --leave-running --freeze-cgroup \(files.controlGroupFolder) \
                --images-dir $images \(before) --log-file criu.log '|| is_dumped=' | tr '\\n' ' ' >\(files.directory)/dump.sh
            systemctl stop \(files.leavingUnit) 2>/dev/null || true
            \(starting(files.leavingUnit))
            """, [leaving(over: channel)], to: purpose)
        try await channel.hear(to: purpose, within: .seconds(20))
    }

    /// What a unit runs in the old OS VM: waits for the word, freezes and dumps.
    ///
    /// While it waits, SIGTERM ends it. Afterwards it is not to be disturbed: whoever killed CRIU would leave its code in the processes.
    private func leaving(over channel: ControlChannel) -> String {
        """
        \(conversation(over: channel))
        \(StepTimes.shell)
        trap 'exit 0' TERM
        say_done
        hear \(channel.order("leave")) || exit 0
        \(atWork)
        trap '' TERM
        step begin
        # A process that waits and cannot be interrupted cannot be frozen: nobody else waits for long.
        limit=$((${up%.*} + 10))
        echo 1 >\(files.controlGroupFolder)/cgroup.freeze
        until
            frozen=0
            while read -r key value; do [ "$key" != frozen ] || frozen=$value; done <\(files.controlGroupFolder)/cgroup.events
            [ $frozen = 1 ]
        do
            read -r up idle </proc/uptime
            [ ${up%.*} -lt $limit ] || { echo "its processes cannot be frozen" >&2; exit 1; }
        done
        # Only then: no program sees its network fail. What comes in between is in the sockets, and goes along.
        \(ContainerNetwork.disconnect(spec))
        step freeze
        is_dumped=yes
        . \(files.directory)/dump.sh >/dev/null 2>&1 3>&-
        [ $is_dumped ] || {
            read -r last <\(files.store)/last
            grep Error \(files.store)/$last/criu.log >&2; exit 1; }
        step dump
        sync --file-system \(files.bundle)
        umount \(files.store)
        step unmount
        : >\(files.directory)/at-work
        say_done
        """
    }

    /// Freezes the container and brings what is left of it into the image store, which is free for the new OS VM then.
    ///
    /// The frozen processes stay, until it is certain that they are not needed any more.
    ///
    /// - Parameters:
    ///   - channel: Where ``poise(afterRounds:over:)`` has the script wait.
    ///   - deadline: How long it may take.
    /// - Returns: When what happened.
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func leave(over channel: ControlChannel, within deadline: Duration) async throws(HypervisorError)
        -> StepTimes
    {
        StepTimes(try await channel.tell("leave", to: "dump container \(name)", within: deadline))
    }

    /// Ends what is there of the container, for good, and lets go of the image store.
    ///
    /// - Parameter deadline: How long the agent may take.
    /// - Throws: ``HypervisorError`` when that cannot be made sure of.
    public func end(within deadline: Duration = .seconds(20)) async throws(HypervisorError) {
        try await agent.run(
            """
            \(ContainerNetwork.disconnect(spec)) 2>/dev/null || true
            \(ending)
            rm -rf /run/runc/\(name)
            \(unmounting)
            """, to: "end container \(name)", within: deadline)
    }

    /// Brings a container back that was on its way: its processes go on where they were frozen.
    ///
    /// - Parameter thaw: Whether they ran before.
    /// - Throws: ``HypervisorError`` when it is not there any more.
    public func takeBack(thaw: Bool) async throws(HypervisorError) {
        try await agent.run(
            """
            # It ends if it waits for its word still. If it does not, it comes to its end, and then waits for somebody to listen.
            systemctl kill --kill-whom=main --signal=TERM \(files.leavingUnit) 2>/dev/null || true
            \(leftAlone)
            systemctl kill --signal=KILL \(files.leavingUnit) 2>/dev/null || true
            grep -q 'populated 1' \(files.controlGroupFolder)/cgroup.events || { echo "it has no process" >&2; exit 1; }
            \(unmounting)
            \(ContainerNetwork.connect(spec))
            \(ContainerNetwork.announce(spec))
            \(thaw ? "echo 0 >\(files.controlGroupFolder)/cgroup.freeze" : ":")
            """, to: "let container \(name) go on", within: .seconds(90))
    }
}

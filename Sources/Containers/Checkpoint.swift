public import Hypervisors

/// How a container is taken out of one OS VM and put into another, by CRIU.
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

    /// Shell lines that say that CRIU is at work on the container, until the script's end.
    ///
    /// Whoever killed CRIU would leave its code in the processes: it is waited for.
    private var atWork: String {
        "echo $$ >\(files.directory)/at-work; trap 'rm -f \(files.directory)/at-work' EXIT"
    }

    /// Shell lines that wait until CRIU is not at work any more, whoever started it.
    private var leftAlone: String {
        """
        tries=0
        while [ -s \(files.directory)/at-work ] && kill -0 $(cat \(files.directory)/at-work) 2>/dev/null; do
            tries=$((tries + 1)); [ $tries -lt 600 ] || { echo "CRIU is still at work on it" >&2; exit 1; }
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
            \(atWork)
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

    /// Makes everything ready for ``leave(within:)``, so that nothing is prepared while the container stands still.
    ///
    /// - Parameter rounds: How many rounds of copying went before.
    /// - Throws: ``HypervisorError``.
    public func poise(afterRounds rounds: Int) async throws(HypervisorError) {
        let before = rounds > 0 ? "--prev-images-dir ../\(rounds - 1)" : ""
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
                --images-dir $images \(before) --log-file criu.log | tr '\\n' ' ' >\(files.directory)/dump.sh
            """, to: "get container \(name) ready")
    }

    /// Freezes the container and brings what is left of it into the image store, which is free for the new OS VM then.
    ///
    /// The frozen processes stay, until it is certain that they are not needed any more.
    ///
    /// - Parameter deadline: How long it may take.
    /// - Returns: When what happened.
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func leave(within deadline: Duration) async throws(HypervisorError) -> StepTimes {
        let text = try await agent.run(
            """
            \(atWork)
            \(StepTimes.shell)
            step begin
            echo 1 >\(files.controlGroupFolder)/cgroup.freeze
            until
                frozen=0
                while read -r key value; do [ "$key" != frozen ] || frozen=$value; done <\(files.controlGroupFolder)/cgroup.events
                [ $frozen = 1 ]
            do :; done
            # Only then: no program sees its network fail. What comes in between is in the sockets, and goes along.
            \(ContainerNetwork.disconnect(spec))
            step freeze
            . \(files.directory)/dump.sh >/dev/null 2>&1 || {
                read -r last <\(files.store)/last
                grep Error \(files.store)/$last/criu.log >&2; exit 1; }
            step dump
            sync --file-system \(files.bundle)
            umount \(files.store)
            step unmount
            """, to: "dump container \(name)", within: deadline, polling: .milliseconds(10))
        return StepTimes(text)
    }

    /// Starts what will restore the container, up to the point where it needs the images.
    ///
    /// - Throws: ``HypervisorError``.
    public func expect() async throws(HypervisorError) {
        try await agent.run(
            """
            rm -f \(files.pidFile) \(files.directory)/pid.new
            \(startingUnit)
            """, [restoring], to: "get ready for container \(name)")
    }

    /// What the unit runs: waits for the word, restores, and lasts as long as the container's first process.
    ///
    /// CRIU joins the container's control group, and so does what it makes. Whatever it makes is stopped, not running.
    private var restoring: String {
        """
        \(StepTimes.shell)
        # For both ways: to open it waits for nobody.
        exec 5<>\(files.directory)/timers
        perl -e '\(TimerDescriptors.program)' \(files.controlGroupFolder)/cgroup.procs <&5 2>\(files.directory)/timers.log &
        timers=$!
        read -r word <\(files.directory)/go
        exec 4>\(files.directory)/restored
        step begin >&4
        mount -o dax=always "$(cat \(files.deviceFile))" \(files.store) 2>&4 || exit 1
        step mount >&4
        read -r last <\(files.store)/last
        images=\(files.store)/$last output=
        while read -r pipe; do output="$output --inherit-fd fd[1]:$pipe"; done <$images/output
        {
            (
                echo 0 >\(files.controlGroupFolder)/cgroup.procs
                exec criu restore --images-dir $images --restore-detached --leave-stopped \
                    --pidfile \(files.directory)/pid.new --root \(files.root) \(CRIUOptions.shared) \
                    --inherit-fd "fd[3]:network" $output --log-file \(files.directory)/restore.log \
                    3<\(files.networkNamespace) 4>&- 5>&- 2>/dev/null
            )
            echo $? >\(files.directory)/done
        } | cat >\(files.console) 4>&- 5>&- &
        read -r status <\(files.directory)/done
        [ $status = 0 ] || { grep Error \(files.directory)/restore.log >&4; exit 1; }
        if [ -s $images/timers ]; then
            echo go >&5
            wait $timers || { cat \(files.directory)/timers.log >&4; exit 1; }
        else
            kill $timers
        fi
        read -r pid <\(files.directory)/pid.new
        echo $pid >\(files.pidFile)
        step restore >&4
        exec 4>&- 5>&-
        exec tail --pid="$(cat \(files.pidFile))" -s 0.5 -f /dev/null
        """
    }

    /// Restores the container from the image store; its processes are complete and stopped then.
    ///
    /// - Parameter deadline: How long it may take.
    /// - Returns: When what happened.
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func arrive(within deadline: Duration) async throws(HypervisorError) -> StepTimes {
        let text = try await agent.run(
            """
            echo go >\(files.directory)/go
            timeout "$1" cat \(files.directory)/restored
            [ -s \(files.pidFile) ]
            """, ["\(max(1, deadline.components.seconds))"], to: "restore container \(name)", within: deadline,
            polling: .milliseconds(10))
        return StepTimes(text)
    }

    /// Lets what was restored run, and the network hear it.
    ///
    /// - Throws: ``HypervisorError``.
    public func resume() async throws(HypervisorError) {
        try await agent.run(
            """
            set --
            while read -r process; do set -- "$@" $process; done <\(files.controlGroupFolder)/cgroup.procs
            [ $# -gt 0 ] || { echo "it has no process" >&2; exit 1; }
            \(ContainerNetwork.connect(spec))
            kill -CONT "$@"
            \(ContainerNetwork.announce(spec))
            """, to: "let container \(name) run", polling: .milliseconds(10))
    }

    /// Makes runc know what was restored, and frees the image store.
    ///
    /// Its record names the first process, by pid and start time, and its namespaces.
    ///
    /// - Throws: ``HypervisorError``.
    public func adopt() async throws(HypervisorError) {
        try await agent.run(
            """
            \(mounting)
            read -r last <\(files.store)/last
            images=\(files.store)/$last
            old=$(cat $images/pid) new=$(cat \(files.pidFile))
            start=$(sed 's/.*) //' /proc/$new/stat | cut -d ' ' -f 20)
            cp $images/config.json \(files.runtimeBundle)/config.json
            mkdir -p -m 0711 /run/runc/\(name)
            sed "s/\\"init_process_pid\\":$old,/\\"init_process_pid\\":$new,/; s/\\"init_process_start\\":[0-9]*/\\"init_process_start\\":$start/
                s#/proc/$old/#/proc/$new/#g" $images/runc.json >/run/runc/\(name)/state.json
            umount \(files.store)
            """, to: "make runc know container \(name)")
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
            \(leftAlone)
            grep -q 'populated 1' \(files.controlGroupFolder)/cgroup.events || { echo "it has no process" >&2; exit 1; }
            \(unmounting)
            \(ContainerNetwork.connect(spec))
            \(ContainerNetwork.announce(spec))
            \(thaw ? "echo 0 >\(files.controlGroupFolder)/cgroup.freeze" : ":")
            """, to: "let container \(name) go on", within: .seconds(90))
    }
}

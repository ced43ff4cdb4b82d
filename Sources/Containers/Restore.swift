public import Hypervisors

/// How a container is put into an OS VM, by CRIU.
extension ContainerPlace {
    /// Starts what will restore the container, up to the point where it needs the images.
    ///
    /// - Parameter channel: Where its script waits for the word.
    /// - Throws: ``HypervisorError``.
    public func expect(over channel: ControlChannel) async throws(HypervisorError) {
        let purpose = "get ready for container \(name)"
        try await agent.run(
            """
            rm -f \(files.pidFile) \(files.directory)/pid.new
            \(starting(files.unit))
            """, [restoring(over: channel)], to: purpose)
        try await channel.hear(to: purpose, within: .seconds(20))
    }

    /// What the unit runs: waits for the word, restores, waits for the word to continue, and lasts as long as the container's
    /// first process.
    ///
    /// CRIU joins the container's control group, and so does what it makes. Whatever it makes is stopped, not running.
    private func restoring(over channel: ControlChannel) -> String {
        """
        \(conversation(over: channel))
        \(StepTimes.shell)
        # For both ways: to open it waits for nobody.
        exec 5<>\(files.directory)/timers
        perl -e '\(TimerDescriptors.program)' \(files.controlGroupFolder)/cgroup.procs <&5 3>&- 2>\(files.directory)/timers.log &
        timers=$!
        read -r device <\(files.deviceFile)
        say_done
        hear \(channel.order("arrive")) || exit 0
        step begin
        mount -o dax=always "$device" \(files.store)
        step mount
        read -r last <\(files.store)/last
        images=\(files.store)/$last output=
        while read -r pipe; do output="$output --inherit-fd fd[1]:$pipe"; done <$images/output
        {
            (
                echo 0 >\(files.controlGroupFolder)/cgroup.procs || exit 1
                exec criu restore --images-dir $images --restore-detached --leave-stopped \
                    --pidfile \(files.directory)/pid.new --root \(files.root) \(CRIUOptions.shared) \
                    --inherit-fd "fd[4]:network" $output --log-file \(files.directory)/restore.log \
                    4<\(files.networkNamespace) 3>&- 5>&- 2>/dev/null
            ) && echo 0 >\(files.directory)/done || echo 1 >\(files.directory)/done
        } | cat >\(files.console) 3>&- 5>&- &
        read -r status <\(files.directory)/done
        [ $status = 0 ] || { grep Error \(files.directory)/restore.log >&2; exit 1; }
        if [ -s $images/timers ]; then
            echo go >&5
            wait $timers || { cat \(files.directory)/timers.log >&2; exit 1; }
        else
            kill $timers 2>/dev/null || true
        fi
        # It ends without a newline, which `read` calls a failure.
        read -r pid <\(files.directory)/pid.new || true
        echo $pid >\(files.pidFile)
        step restore
        say_done
        \(continuing)
        if hear \(channel.order("resume")); then
            # Behind its back: where nobody listens any more, who speaks waits, and the unit has to end with the container.
            if continue_it; then say_done & else say_failed & fi
        fi
        exec 3>&- 5>&-
        exec tail --pid=$pid -s 0.5 -f /dev/null
        """
    }

    /// Restores the container from the image store; its processes are complete and stopped then.
    ///
    /// - Parameters:
    ///   - channel: Where ``expect(over:)`` has the script wait.
    ///   - deadline: How long it may take.
    /// - Returns: When what happened.
    /// - Throws: ``HypervisorError`` with CRIU's words.
    public func arrive(over channel: ControlChannel, within deadline: Duration) async throws(HypervisorError)
        -> StepTimes
    {
        StepTimes(try await channel.tell("arrive", to: "restore container \(name)", within: deadline))
    }

    /// Shell lines that define `continue_it`: what was restored runs, and the network hears it.
    private var continuing: String {
        """
        continue_it() {
            set --
            while read -r process; do set -- "$@" $process; done <\(files.controlGroupFolder)/cgroup.procs
            [ $# -gt 0 ] || { echo "it has no process" >&2; return 1; }
            \(ContainerNetwork.connect(spec)) && kill -CONT "$@" && \(ContainerNetwork.announce(spec))
        }
        """
    }

    /// Lets what was restored run, and the network hear it.
    ///
    /// - Parameter channel: Where ``arrive(over:within:)`` has left the script waiting.
    /// - Throws: ``HypervisorError``; it may run nevertheless, and ``resume()`` may be tried.
    public func resume(over channel: ControlChannel) async throws(HypervisorError) {
        _ = try await channel.tell("resume", to: "let container \(name) run", within: .seconds(10))
    }

    /// Lets what was restored run, whoever restored it; nothing is lost when it does already.
    ///
    /// - Throws: ``HypervisorError``.
    public func resume() async throws(HypervisorError) {
        try await agent.run(
            """
            \(continuing)
            continue_it
            """, to: "let container \(name) run")
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
}

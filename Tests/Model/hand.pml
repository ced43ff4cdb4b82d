/* Another client gives one command to one side, while neither a controller nor a recovery runs. */
proctype Hand() {
end:
    atomic { !controllerLives && !recovering && journal != nothing ->
        handWasHere = true;
        if
        :: (old == idle && !oldRuns) || old == done -> printf("somebody: cont on the old side\n"); takeBackAndRun()
        :: old == idle && oldRuns -> printf("somebody: stop on the old side\n"); oldRuns = false; oldState = memory
        :: old == asked || old == handing -> printf("somebody: cancels the migration\n"); cancelMigration()
        :: new == ready -> printf("somebody: cont on the new side\n"); runNew()
        :: new == live -> printf("somebody: stop on the new side\n"); new = ready; newState = memory
        :: new == waiting && wire == quiet -> printf("somebody: feeds the new side a guest\n"); runNew()
        :: new == ready -> printf("somebody: migrates the new side onwards\n"); new = onward
        :: skip
        fi }
end2:
    atomic { new == onward -> printf("new: handed onwards\n"); new = passedOn }
}

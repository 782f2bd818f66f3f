/*
 * peak FILE COMMAND ARGUMENT… - runs a command, writes its peak memory in KB and its processor time in milliseconds
 * into FILE and ends with the command's exit code.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long milliseconds(struct timeval t)
{
    return t.tv_sec * 1000 + t.tv_usec / 1000;
}

int main(int argc, char **argv)
{
    struct rusage r;
    int status = 0;
    if (argc < 3)
        return 2;
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || getrusage(RUSAGE_CHILDREN, &r) != 0)
        return 126;
    FILE *out = fopen(argv[1], "w");
    if (!out || fprintf(out, "%ld %ld\n", r.ru_maxrss, milliseconds(r.ru_utime) + milliseconds(r.ru_stime)) < 0)
        return 126;
    return fclose(out) != 0 ? 126 : WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

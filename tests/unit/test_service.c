#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/service.h"
#include "unit/tempdir.h"

static char dir[256];

static int setup(void **state)
{
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return tempdir_make(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(dir);
    return 0;
}

static void nobody_listens(void **state)
{
    (void)state;
    assert_false(service_tell("READY=1"));
    setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    assert_false(service_tell("READY=1"));
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_false(service_tell("READY=1"));
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    assert_false(service_tell("READY=1"));
}

static void a_datagram_arrives(void **state)
{
    (void)state;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    char got[200] = "";
    snprintf(at.sun_path, sizeof at.sun_path, "%.80s/s", dir);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    assert_true(service_tell("READY=1\nSTATUS=well"));
    assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), 19);
    assert_string_equal(got, "READY=1\nSTATUS=well");
    assert_true(service_reloading());
    memset(got, 0, sizeof got);
    assert_true(recv(fd, got, sizeof got - 1, MSG_DONTWAIT) > 27);
    assert_memory_equal(got, "RELOADING=1\nMONOTONIC_USEC=", 27);
    close(fd);
}

static void the_watchdog_is_for_us(void **state)
{
    (void)state;
    char pid[20];
    assert_int_equal(service_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(service_watchdog_ms(), 0);     /* nobody to tell */
    setenv("NOTIFY_SOCKET", "/x", 1);
    assert_int_equal(service_watchdog_ms(), 15000);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(service_watchdog_ms(), 0);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(service_watchdog_ms(), 15000);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(service_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "1", 1);
    assert_int_equal(service_watchdog_ms(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(nobody_listens), TEST(a_datagram_arrives), TEST(the_watchdog_is_for_us) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

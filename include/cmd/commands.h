/*
 * commands - the commands that the table of cmd.c lists, one per file src/cmd/cmd_VERB.c
 */
#ifndef WAYBILL_CMD_COMMANDS_H
#define WAYBILL_CMD_COMMANDS_H

#include "cmd/cmd.h"

extern const struct command command_init, command_run, command_watch, command_convert, command_inspect, command_check,
    command_explain, command_laws, command_test, command_describe, command_fmt, command_status, command_show,
    command_do, command_create, command_send, command_receive, command_commit, command_update, command_amend,
    command_retry, command_hold, command_release, command_cancel, command_resend, command_renew,
    command_replay, command_where, command_fsck, command_exchange;

/* cmd_health.c, cmd_purge.c: keeping a site well */
extern const struct command command_health, command_purge;

#endif

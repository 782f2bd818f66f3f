#!/bin/sh
# t45-sftp - a site behind OpenSSH's server (ERP and partner as chrooted users), and exchanges with a partner's server
# sshd wants every folder above a chroot to be root's alone: not /tmp.
[ "$(id -u)" != 0 ] || [ ! -w /run ] || { TMPDIR=/run && export TMPDIR; }
. "$(dirname "$0")/lib.sh"

sshd=$(command -v sshd || echo /usr/sbin/sshd)
if [ "$(id -u)" != 0 ] || [ ! -x "$sshd" ] || ! command -v sftp > /dev/null; then
    echo "ok sftp # SKIP needs root, openssh-server and openssh-client"
    exit 0
fi
users=''
forget_users() { for u in $users; do userdel "$u" 2> /dev/null; done; clean; }
trap forget_users EXIT

# Two users without shell, each alone in its folder: /chroot/ERP (root's) with inbox and outbox (its own).
new_user() {                            # NAME
    userdel "$1" 2> /dev/null
    useradd --system --no-create-home --shell /usr/sbin/nologin "$1" && passwd -d "$1" > /dev/null 2>&1
    users="$users $1"
}
erp="wberp$$"
partner="wbpart$$"
new_user "$erp"
new_user "$partner"
chmod 755 "$tmp"
ssh-keygen -q -t ed25519 -N '' -f key && ssh-keygen -q -t ed25519 -N '' -f host_key
mkdir -p run keys && cp key.pub "keys/$erp" && cp key.pub "keys/$partner" && chmod 755 keys && chmod 644 keys/*
port=$((12000 + $$ % 20000))           # below those that the kernel gives out
cat > sshd_config << END
Port $port
ListenAddress 127.0.0.1
HostKey $tmp/host_key
PidFile $tmp/sshd.pid
AuthorizedKeysFile $tmp/keys/%u
UsePAM no
StrictModes no
PasswordAuthentication no
Subsystem sftp internal-sftp
Match User $erp
    ChrootDirectory $tmp/site/doors/erp
    ForceCommand internal-sftp -u 0007
Match User $partner
    ChrootDirectory $tmp/far
    ForceCommand internal-sftp -u 0007
END
mkdir -p /run/sshd
"$sshd" -f sshd_config -E sshd.log -D &
started="$started $!"
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 host_key.pub)" > known_hosts
listening() { ssh-keyscan -p "$port" 127.0.0.1 2> /dev/null | grep -q ed25519; }
check "the server listens" wait_for 60 listening
as() {                                  # USER: commands on standard input
    sftp -q -b - -P "$port" -i key -o IdentitiesOnly=yes -o UserKnownHostsFile="$tmp/known_hosts" -o BatchMode=yes \
        "$1@127.0.0.1" > sftp.out 2>&1
}

# The ERP's user sees its own door: an inbox to write into, an outbox to take from, nothing of waybill's.
mkdir -p site/doors/erp/in site/doors/erp/out
small_site site << END
flow erp {
    on yes
    operation convert {
        take inbox  "doors/erp/in" ready name complete
        give outbox "doors/erp/out" name "{file}" map copy
    }
}
END
chown "$erp" site/doors/erp/in && chmod 770 site/doors/erp/in
chown "root:$(id -gn "$erp")" site/doors/erp/out && chmod 2770 site/doors/erp/out
watch site
rows 1 2000 > orders.csv
out() { [ -f "$1" ]; }
quiet() { [ -z "$(ls site/doors/erp/out)" ] && [ "$(archived site)" = 0 ]; }

# An upload that breaks off: a temporary name, half of the bytes, then resumed and renamed.
head -c 5000 orders.csv > half && cp half upload.part
printf 'cd in\nput upload.part orders.csv.part\n' | as "$erp"
check "a broken upload lies in the inbox" test -f site/doors/erp/in/orders.csv.part
sleep 0.5
check "and is not taken" quiet
cp orders.csv upload.part
printf 'cd in\nreput upload.part orders.csv.part\nrename orders.csv.part orders.csv\n' | as "$erp"
check "resumed and renamed it is converted" wait_for 60 out site/doors/erp/out/orders.csv
check "whole" same orders.csv site/doors/erp/out/orders.csv
printf 'cd out\nget orders.csv back.csv\nrm orders.csv\n' | as "$erp"
check "the user fetches its result" same orders.csv back.csv
check "and takes it away" test ! -e site/doors/erp/out/orders.csv
printf 'cd /\nls -la\ncd in\n-mkdir .waybill\nput half .waybill/x\n' | as "$erp"
check "nothing of waybill's is within reach" not_said sftp.out site.conf
printf 'cd out\nput half planted.csv\nls -l\n' | as "$erp"
printf 'chmod 777 /in\n-rename /in /gone\nls /\n' | as "$erp"
check "the door stays as it is" test -d site/doors/erp/in
stop

# Exchanges: the partner's own server, its folders in and out.
mkdir -p far/in far/out && chown "$partner" far/in far/out
small_site near << END
exchange far "sftp://$partner@127.0.0.1:$port" {
    push        "outbox/far" to "in"
    fetch       "out" into "inbox/far"
    identity    "../key"
    known-hosts "../known_hosts"
    stable      300ms
}
flow far {
    on yes
    operation convert {
        take inbox  "inbox/far" ready name
        give outbox "outbox/back" name "{file}" map copy
    }
}
END
mkdir -p near/outbox/far near/inbox/far
rows 1 50 > near/outbox/far/a.csv
rows 1 60 > near/outbox/far/b.csv
cp near/outbox/far/a.csv a.csv
rows 5 9 > far/out/answer.csv
rows 5 9 > far/out/half.csv.part
rows 5 8 > "far/out/bad name.csv"
chown -R "$partner" far/out
"$prog" exchange near > x.out 2> x.err < /dev/null
check "an exchange that leaves one strange name behind: exit code 1" is 1 $?
check "the name is told" said x.err EXCHANGE_NAME "bad name.csv"
check "both files arrived, whole" same a.csv far/in/a.csv
check "under their final names only" is "a.csv b.csv" "$(ls -A far/in | tr '\n' ' ' | sed 's/ $//')"
check "and left the outbox" is "" "$(ls -A near/outbox/far)"
check "the answer is in the inbox" test -f near/inbox/far/answer.csv
check "and gone from the server; a half one stays" is "bad name.csv half.csv.part" "$(ls far/out | tr '\n' ' ' | sed 's/ $//')"
check "no note is left" is "lock" "$(ls near/.waybill/exchange/far)"
run near
check "the flow takes the answer" out near/outbox/back/answer.csv
rm "far/out/bad name.csv"

# Nothing is overwritten there, nothing sent twice after a crash.
rows 1 5 > near/outbox/far/a.csv
"$prog" exchange near > x.out 2> x.err < /dev/null
check "a name that is taken there: refused, the file stays" is "1 a.csv" "$? $(ls near/outbox/far)"
check "and the other's file is as it was" same a.csv far/in/a.csv
check "that is told, and nothing noted" eval 'said x.err EXCHANGE_TAKEN a.csv && is lock "$(ls near/.waybill/exchange/far)"'
rm far/in/a.csv
rows 1 5 > far/in/a.csv && chown "$partner" far/in/a.csv
stat -c '%s %.9Y %i' near/outbox/far/a.csv > near/.waybill/exchange/far/push-a.csv
"$prog" exchange near > x.out 2> x.err < /dev/null
check "a crash after the rename there: not sent again" is "0 " "$? $(ls near/outbox/far)"

# Of the same second the older one goes first, whatever the names are.
rows 1 3 > near/outbox/far/z-9.csv && touch -d '2026-11-22T03:44:31.100' near/outbox/far/z-9.csv
rows 1 4 > near/outbox/far/z-10.csv && touch -d '2026-11-22T03:44:31.900' near/outbox/far/z-10.csv
"$prog" exchange near > x.out 2> x.err < /dev/null
check "pushed in the order of their coming" is "z-9.csv z-10.csv" "$(ls -tr far/in | grep '^z' | tr '\n' ' ' | sed 's/ $//')"

# The server's key must be the known one; the wrong one is told, nothing moves.
ssh-keygen -q -t ed25519 -N '' -f other_key
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 other_key.pub)" > known_hosts
rows 1 3 > near/outbox/far/c.csv
"$prog" exchange near > x.out 2> x.err < /dev/null
check "another host key: exit code 5, told, the file stays" is "5 1 c.csv" "$? $(grep -c EXCHANGE_FAILED x.err) $(ls near/outbox/far)"
sed -i '/known-hosts/d' near/site.conf
"$prog" check near/site.conf > x.out 2> x.err
check "without known hosts the site is refused" said x.err SITE_EXCHANGE ssh-keyscan
finish

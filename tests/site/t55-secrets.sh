#!/bin/sh
# t55-secrets.sh PROGRAM - sensitive values and secrets are shown nowhere; private folders are private
. "$(dirname "$0")/lib.sh"

mkdir -p s/mappings s/inbox/rows s/secrets
cat > s/mappings/rows.format << 'END'
syntax csv delimiter ";" header yes
encoding utf-8

message Row {
    key Id
    Id  text    required
    Pin integer sensitive
    Qty decimal
}
END
sed -i '/^    key Id$/d' s/mappings/rows.format
sed 's/ sensitive//; s/Pin integer/Pin text max 20/' s/mappings/rows.format > s/mappings/out.format
cat > s/mappings/rows.map << 'END'
mapping rows => out

param password text "for the service"

require $password != "" else NO_PASSWORD "the password {$password} is empty"

Row => Row {
    let doubled = concat(Pin, Pin)
    require Pin > 1000 else PIN_SHORT "the pin {Pin} ({$doubled}) of {Id} is too short for {$password}"
    Id  => Id
    concat($password, Pin) => Pin
    Qty => Qty
}
END
cat > s/site.conf << 'END'
site "Secrets"
zone "Europe/Oslo"
set password secret "secrets/erp.key"

flow rows {
    on yes
    operation convert {
        take inbox  "inbox/rows" ready name
        give outbox "outbox/rows" name "{file}" map rows
    }
}
END
printf 'hunter2\nnot this\n' > s/secrets/erp.key
"$prog" check s > out 2> err
check "a secret that others may read" said err SITE_SECRET "chmod 600 s/secrets/erp.key"
chmod 600 s/secrets/erp.key
"$prog" check s > out 2> err
check "chmod 600 is enough" is "0 " "$? $(cat err)"
printf 'Id;Pin;Qty\na;771234;1\nb;77x55;1\nc;773344;none\nd;77;1\n' > s/inbox/rows/a.csv
run s
check "run: some were refused" is 1 "$code"
check "the secret comes where it belongs" said s/outbox/rows/a.csv 'a;hunter2771234;1'
batch=$(basename "$(find s/archive -name '*.waybill.json')" .waybill.json)
(cd s && "$prog" show "$batch" > ../show.out 2> ../show.err; "$prog" show --json "$batch" >> ../show.out 2>> ../show.err)
"$prog" status s > status.out 2>&1
cat "$(find s/archive -name '*.waybill.json')" "$(find s/archive -name '*.lines.*')" > papers
check "a value that is wrong is masked" said run.log '"***" is not' Pin NUM_BAD
check "so it is in the waybill and the lines" eval 'said papers "***" && ! grep -qE "77x55|773344|771234|hunter2" papers'
check "texts of mappings mask it too" said run.log 'the pin *** (***) of d is too short for ***'
for f in run.log show.out show.err status.out papers; do
    check "nothing of them in $f" eval '! grep -nE "77x55|771234|773344|hunter2|;77;" $f'
done
check "another field's problem shows its own value" said run.log '"none" is not a decimal'
check "the secret is in no file but the output" is "s/outbox/rows/a.csv s/secrets/erp.key" \
    "$(grep -rlF hunter2 s | sort | xargs)"
printf 'Id;Pin;Qty\nb;77x55;1\n' > in.csv
"$prog" convert --set password=x -m s/mappings/rows.map in.csv > out 2> err
check "convert masks as well" eval '! grep -q 77x55 err && said err "***"'
rm s/secrets/erp.key
"$prog" check s > out 2> err
check "a secret that is missing" said err SITE_SECRET "cannot be read"
echo x > s/secrets/erp.key && chmod 600 s/secrets/erp.key

# Folders.
chmod 755 s
"$prog" check s > out 2> err
check "folders as waybill makes them: good" is "0 " "$? $(cat err)"
mkdir -p s/tables && chmod 755 s/tables s/archive
"$prog" check s > out 2> err
check "open ones: exit code 1" is 1 $?
check "with what to type" said err SITE_OPEN "chmod o-rwx s/archive" "chmod o-rwx s/tables"
chmod 700 s
"$prog" check s > out 2> err
check "unless nobody comes that far" is 0 $?
chmod 755 s && chmod 750 s/tables s/archive && chmod 775 s/inbox/rows
"$prog" check s > out 2> err
check "a group that writes into an inbox" said err SITE_OPEN "chmod g-rwx s/archive"
chmod 755 s/inbox/rows
"$prog" check s > out 2> err
check "another group is fine" is 0 $?
"$prog" init made > out 2>&1 && cp made/samples/orders.csv made/inbox/orders/ && "$prog" run -q made > out 2>&1
"$prog" check made > out 2> err
check "a site of init passes" eval '! grep -q SITE_OPEN err'
finish

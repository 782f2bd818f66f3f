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

# What a mapping makes of them, where the field that it fills is an ordinary one.
mkdir -p m/mappings m/inbox/rows m/secrets
sed 's/^    Pin .*/    Pin text sensitive\n    Kind text code ("ALPHA1", "BETA22") sensitive/' s/mappings/rows.format > m/mappings/rows.format
cat > m/mappings/out.format << 'END'
syntax csv delimiter ";" header yes
encoding utf-8

message Row {
    Id    text required
    Short text max 5
    Twice text max 6
    Token text max 4
    Whole integer
    Name  text
}
END
cat > m/mappings/rows.map << 'END'
mapping rows => out

param password text
table known key Pin columns Name {
    "ab" "one"
}

Row => Row {
    let twice = concat(Pin, Pin)
    require Id != "t" else PIN_TOLD "pin {Pin}"
    require Pin != "ta70077" or Id != "w" else warn PIN_ODD
    Id  => Id
    Pin => Short
    $twice => Twice
    $password => Token
    if(Id = "n", Pin) => Whole
    if(Id = "k", $known[Pin]/Name) => Name
}
END
cat > m/mappings/said.format << 'END'
syntax csv delimiter ";" header yes
encoding utf-8

message Line {
    Text  text
    Value text
}
END
printf 'mapping rows => said\n\nRow => Line {\n    $outcome/Text => Text\n    join(" ", $outcome/Problem/Value) => Value\n}\n' > m/mappings/said.map
sed '/give outbox/s/.*/&\n        give outbox "outbox\/said" name "said-{file}" map said report/' s/site.conf |
    sed 's/^set .*/&\nlanguage no\ntexts no {\n    PIN_TOLD "koden {Pin}"\n}/' > m/site.conf
printf 'hunter2\r\n' > m/secrets/erp.key && chmod 600 m/secrets/erp.key
printf 'Id;Pin;Kind;Qty\na;ta70011;;1\nb;"ta7""00""22";;1\nn;ta70033;;1\nk;ta70044;;1\nt;ta70055;;1\nc;ab;ALPHA;1\nw;ta70077;;1\n' > m/inbox/rows/a.csv
run m
cat m/archive/*/*/*/*.json* m/error/*/*.json* m/outbox/said/* > papers
check "made of them: too long, no number, no row" said run.log TEXT_LONG NUM_BAD TABLE_MISS CODE_UNKNOWN 'koden ***'
check "and no secret, no line end with it" said run.log 'Token: "***" has 7 characters'
for f in run.log papers; do
    check "nothing of what was made in $f" eval '! grep -nE "ta7|hunter2|ALPHA1" $f'
done
printf 'Id;Pin;Kind;Qty\nz;ab;;1\n' > m/inbox/rows/given.csv
run m --set password=gift7
cat m/archive/*/*/*/*.json* m/error/*/*.json* >> run.log
check "given by hand it is a secret as well" not_said run.log gift7
sed -i '/password/d; s/=> Whole .*/=> Whole/' m/mappings/rows.map
"$prog" convert -m m/mappings/rows.map m/error/*/a.csv > out 2> err
check "nor does convert tell it" eval 'said err "***" && ! grep -n "ta7" err'

# Corrections by hand.
sync_flow | sync_site hand 'Memo text max 20 sensitive'
mkdir -p hand/inbox/rows && rows 1 2 > hand/inbox/rows/a.csv
run hand
b=$(open_ids hand)
cmd hand amend --message 1 "$b" Memo=ta8001
check "amend takes a sensitive value" is 0 "$code"
cat cmd.out cmd.log > papers
cmd hand amend --message 1 "$b" Memo=ta8002
cat cmd.out cmd.log >> papers
cmd hand amend --message 1 "$b" Memo=ta8003andverymuchmore
check "one that does not fit is masked" said cmd.log PARAM_BAD '"***" has 21 characters'
cat cmd.out cmd.log >> papers
(cd hand && "$prog" show "$b" && "$prog" show --json "$b") >> papers 2>&1
cat hand/.waybill/work/"$b"/*.json* >> papers
check "neither the old nor the new one is told" eval 'said papers "Memo = ***" && ! grep -n ta8 papers'
check "it stands where it belongs" said hand/.waybill/work/"$b"/stage.3 ta8002
check "and is done again by replay" eval '"$prog" replay --dir hand "$b" > out 2> err'

# What a consolidation looked at.
mkdir looked
printf 'syntax json lines\nencoding utf-8\n\nmessage Row key Id {\n    Id text required\n    Pin text sensitive\n    Qty decimal\n}\n' \
    > looked/stage.format
cat > looked/looked.map << 'END'
mapping rows => stage

Row => Row {
    consolidate {
        match Qty = $old/Qty else NO_QTY
        check Pin = $old/Pin else OTHER_PIN
        none NONE
    }
    Id  => Id
    Pin => Pin
    Qty => Qty
}
END
sed 's/ key Pin//' m/mappings/rows.format > looked/rows.format
echo '{"Id":"z","Pin":"ta9002","Qty":1}' > looked/before.jsonl
printf 'Id;Pin;Kind;Qty\na;ta9001;;1\n' > looked/in.csv
"$prog" convert -m looked/looked.map --original looked/before.jsonl --why why -o out looked/in.csv 2> err
check "why tells no values of theirs" eval 'said why "OTHER_PIN, Pin \"***\"" && ! grep -n ta9 why err && said out ta9001 ta9002'

# Names.
sed -i 's/"{file}" map/"{Pin}_{batch}" each map/' m/site.conf && sed -i 's/^message Row {/message Row key Pin {/' m/mappings/rows.format
"$prog" check m > out 2> err
check "as a name it is warned of" said err SITE_SHOWN 'Pin is sensitive, and a key' 'names of outputs stand in logs'

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
if [ "$(id -u)" = 0 ]; then
    chgrp 4711 s/outbox/rows s/archive && chmod 2750 s/outbox/rows
    "$prog" check s > out 2> err
    check "a group that only fetches is a partner too" said err SITE_OPEN "chmod g-rwx s/archive"
    chgrp 0 s/outbox/rows s/archive
fi
"$prog" init made > out 2>&1 && cp made/samples/orders.csv made/inbox/orders/ && "$prog" run -q made > out 2>&1
"$prog" check made > out 2> err
check "a site of init passes" eval '! grep -q SITE_OPEN err'
finish

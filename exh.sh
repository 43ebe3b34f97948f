cd /work/main
ulimit -n 60
.build/debug/gohubd serve --listen 127.0.0.1:18455 --set log.format=json >/tmp/res/exh.log 2>&1 &
P=$!
sleep 2
ulimit -S -n 60
python3 - <<'PY'
import socket,time
s=[]
for i in range(55):
    c=socket.socket(); c.setblocking(False)
    try: c.connect(('127.0.0.1',18455))
    except BlockingIOError: pass
    s.append(c)
time.sleep(8)
PY
kill -0 $P && echo alive; kill -TERM $P; wait $P; echo rc $?
tail -c 3000 /tmp/res/exh.log

import re,subprocess,os
root='/work/wt/res'
s=open(root+'/Docs/ThreatModel.md').read()
src={}
for d,_,fs in os.walk(root+'/Tests'):
    for f in fs:
        if f.endswith('.swift'): src[os.path.join(d,f)]=open(os.path.join(d,f)).read()
bad=0;n=0
for line in s.split('\n'):
    if '**Tests**' not in line and 'Tests.' not in line: continue
    suite=None
    for t in re.findall(r'`([^`]+)`',line):
        m=re.fullmatch(r'(?:(\w+)/)?(\w+Tests)\.(\w+)',t)
        if m: suite=(m.group(1),m.group(2)); name=m.group(3)
        elif re.fullmatch(r'\.(\w+)',t) and suite and '**Tests**' in line: name=t[1:]
        else: continue
        n+=1
        ok=any(re.search(r'(struct|class|extension) '+suite[1]+r'\b',c) and re.search(r'func '+name+r'\b',c) and (not suite[0] or '/'+suite[0]+'/' in p) for p,c in src.items())
        if not ok: bad+=1; print('MISSING',suite,name)
print(n,'names',bad,'missing')

import json, time
from typing import Any
import pytest
from tests.contract.gateway import Gateway
from tests.contract.rows import admit
from common.database import Database
import os

def test_abuse(gateway: Gateway, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    def no(*a, **k): raise socket.gaierror("no")
    monkeypatch.setattr(socket, "getaddrinfo", lambda h, *a, real=socket.getaddrinfo, **k: real(h, *a, **k) if str(h).startswith(("127.","localhost")) else no())
    start = time.monotonic()
    rows: list[str] = []
    routes = [("POST","/v1/videos"),("POST","/api/generate_story"),("POST","/api/generate_single_image"),("POST","/api/generate_single_video_clip"),("POST","/api/merge_video_clips"),("POST","/api/public/generate-video"),("POST","/api/public/generate-images"),("POST","/api/upload_image"),("POST","/api/convert_s3_image_to_base64"),("POST","/v1/videos/x/resume"),("POST","/v1/videos/x/cancel"),("POST","/v1/uploads"),("POST","/api/upload_video"),("POST","/api/get_presigned_url"),("POST","/v1/estimates"),("POST", "/api/public/upload-image")]
    bad = 0
    def go(name, method, path, text, headers=None, **kw):
        nonlocal bad
        if time.monotonic()-start > 100: return
        s=time.process_time()
        try:
            r=gateway.call(method,path,None,{"Content-Type":"application/json",**(headers or {})},text=text,**kw)
        except BaseException as e:
            rows.append(f"!!!! {name} {method} {path} raised {e!r}"[:300]); bad+=1; return
        cpu=time.process_time()-s
        mark=""
        if r.status>=500 or cpu>2 or len(r.text)>64*1024: mark="!!!! "; bad+=1
        rows.append(f"{mark}{name:28} {method} {path:36} {r.status} cpu={cpu:.2f} out={len(r.text)} {r.text[:140] if mark else ''}")
        return r
    mega = 900_000
    bombs = {
     "nest[": "["*200_000, "nest{": '{"a":'*150_000, "nest closed": '{"prompt":'+"["*60_000+"]"*60_000+"}",
     "digits": '{"prompt":"x","seed":'+"9"*60_000+"}", "exp": '{"prompt":"x","seed":1e999999}', "float": '{"prompt":"x","seconds":1e400}',
     "nan": '{"prompt":"x","seed":NaN}', "neg0": '{"prompt":"x","seed":-0.0}', "fields": json.dumps({f"f{i}":1 for i in range(60_000)}),
     "fields small": json.dumps({f"f{i}":1 for i in range(5_000)}),
     "dup": '{'+'"prompt":"x",'*50_000+'"prompt":"y"}', "list": json.dumps([1]*100_000), "prompt list": json.dumps({"prompt":[{"a":1}]*9_000}),
     "metadata": json.dumps({"prompt":"x","metadata":{f"k{i}":"v" for i in range(4000)}}), "meta nested": '{"prompt":"x","metadata":{"a":'+"["*5000+"]"*5000+"}}",
     "images list": json.dumps({"prompt":"x","images":["https://a.example/x"]*3000}), "surrogate": '{"prompt":"\\ud800"}', "nul": '{"prompt":"a\\u0000b"}',
     "nul key": '{"prompt":"x","a\\u0000b":1}', "surr key": '{"prompt":"x","\\udfff":1}', "meta nul": '{"prompt":"x","metadata":{"a\\u0000":"b"}}', "meta surr": '{"prompt":"x","metadata":{"k":"\\udc00"}}',
     "null": "null", "str": '"x"', "num": "1", "empty": "", "bom": "\ufeff{}", "trailing": "{}{}", "true": "true",
     "scenes": json.dumps({"scenes":{str(i):{"prompt":"x"} for i in range(2000)}}), "scenes huge": '{"scenes":{"'+"9"*5000+'":{"prompt":"x"}}}', "scenes arabic": '{"scenes":{"٣":{"prompt":"x"}}}',
     "scenes neg": '{"scenes":{"-1":{"prompt":"x"}}}', "clips huge": json.dumps({"requestId":"a","clips":list(range(3000))}), "frame huge": '{"requestId":"a","frameNumber":99999999999999999999,"frame_number":99999999999999999999,"prompt":"x"}',
     "expires": '{"url":"x","expiresIn":'+"9"*400+"}", "model nul": '{"prompt":"x","models":{"video":{"provider":"a\\u0000","model":"b"}}}', "style surr": '{"prompt":"x","style":"\\ud83d"}',
     "requestId %00": '{"prompt":"x","requestId":"a%00b"}', "requestId nul": '{"prompt":"x","requestId":"a\\u0000"}',
    }
    for m,p in (routes[0], routes[2], routes[5], routes[8], routes[9], routes[4]):
        for n,b in bombs.items():
            go(n,m,p,b)
    urls = ["https://e.example/api/proxy_s3_image/a%00b","https://e.example/api/proxy_s3_image/a%2500b","https://e.example/api/proxy_s3_video/%C0%80","https://e.example/api/proxy_s3_image/%ED%A0%80","https://e.example/api/proxy_s3_image/alice/x/user-uploads/a%0Ab.png","https://e.example/api/proxy_s3_image/%u0000","https://[::1/","https://[v1.x]/a","https://e.example:99999/","https://e.example:٣/","https://xn--a/","https://bücher.example/a","https://a\u0000b/","https://\ud800.example/","https://e.example/"+"a"*9000,"HTTPS://E.EXAMPLE/API/PROXY_S3_IMAGE/A%00","data:image/png;base64,%00","data:image/png;base64,====","data:;base64,"+"A"*1000,"med_"+"0"*26,"a/b/user-uploads/c\u0000","https://e.example/api/proxy_s3_image/\u202e","http://169.254.169.254/","file:///etc/passwd","https://e.example/api/proxy_s3_image/%00%00?t=%00","//x","https:///","https://%00/","https://user:pa%00ss@e.example/x", "https://e.example/api/proxy_s3_image/%7F%1B"]
    for u in urls:
        j=json.dumps
        for m,p,body in [("POST","/v1/videos",{"prompt":"x","image_url":u}),
            ("POST","/api/generate_single_image",{"prompt":"x","image":u}),("POST","/api/generate_single_video_clip",{"prompt":"x","startImage":u}),("POST","/api/public/generate-video",{"prompt":"x","images":[u]}),("POST","/api/public/generate-images",{"prompt":"x","images":[u,u]}),("POST","/api/convert_s3_image_to_base64",{"imageUrl":u}),("POST","/api/get_presigned_url",{"url":u})]:
            go("url "+repr(u[:40]),m,p,j(body))
        for tmpl in ("/api/get_presigned_url?url=%s","/api/get_presigned_url?key=%s","/api/proxy_s3_image/%s?t=x"):
            from urllib.parse import quote
            go("get "+repr(u[:30]),"GET",tmpl%quote(u.encode("utf-8","surrogatepass")),None)
    for path in ("/v1/videos/%00","/v1/videos/%ED%A0%80","/v1/videos/a%00/events","/v1/videos?cursor=%00","/v1/videos?cursor=%ED%A0%80","/v1/videos?cursor=é","/v1/videos?cursor="+"A"*3000,"/v1/videos?q=%00","/v1/videos?q=%F0%9F%98","/v1/videos?status=%00","/v1/videos?limit="+"9"*5000,"/v1/videos?limit=%D9%A3","/v1/videos?limit=1e3","/v1/videos?created_after=9999999-01-01","/v1/videos?created_after=%00","/v1/media?cursor=%00","/v1/media/med_%00","/v1/media?kind=%00","/v1/usage?from=%00","/v1/usage?from=0001-01-01&to=9999-12-31","/v1/usage?from=-5","/v1/runs/%00","/v1/uploads/%00","/v1/videos/a%0Ab","/v1/videos/..%2f..%2fetc","/v1/videos/x/files/%00","/v1/videos?metadata[%00]=a","/v1/videos?metadata.a=%00","/v1/videos/%E2%80%AE/download"):
        for m in ("GET","DELETE","HEAD"):
            go("path",m,path,None)
    for h in ({"Idempotency-Key":"\ud800"},{"Idempotency-Key":"a\u0000"},{"Idempotency-Key":"é"},{"Prefer":"wait="+"9"*5000},{"Prefer":"wait=٣"},{"Prefer":"wait=-1,respond-async;a=\"\u0000\""},{"X-User-ID":"bad id!"},{"X-User-ID":"\u0000"},{"X-Request-ID":"\u0000"},{"X-Request-ID":"x"*9000},{"X-Request-ID":"\ud800"},{"Accept-Language":"é\u0000"},{"Range":"bytes=9-1"},{"If-None-Match":"\u0000"},{"Content-Type":"application/json; charset=idna"},{"Content-Type":"application/json; charset=\"\u0000\""},{"Content-Type":"application/json; charset*=undefined''x"},{"Content-Type":"=?idna?q?xn--a?="},{"Content-Type":"a"*9000},{"Content-Type":"multipart/form-data; boundary*0=a; boundary*1=b"},{"Content-Encoding":"gzip"},{"Origin":"\u0000"},{"Origin":"https://e\ud800"},{"X-Forwarded-Proto":"javascript"},{"X-Forwarded-For":"\u0000"},{"traceparent":"\u0000"}):
        for m,p,b in (("POST","/v1/videos",'{"prompt":"x"}'),("POST","/api/generate_story",'{"prompt":"x","requestId":"r1"}'),("POST","/api/upload_image",'{"image":"x"}'),("GET","/v1/videos",None)):
            go("header "+repr(h)[:60],m,p,b,h)
    import base64
    for t in ("not base64!","====","/w==", base64.b64encode(b"\xff\xfe{}").decode(), base64.b64encode('{"prompt":"x"}'.encode("utf-16")).decode(), base64.b64encode(b'{"prompt":"\xff"}').decode()):
        for p in ("/v1/videos","/api/upload_image","/api/convert_s3_image_to_base64"):
            go("b64 "+t[:20],"POST",p,t,base64=True)
    open("/tmp/eyes9/abuse.txt","w").write("\n".join(r.encode("utf-8","backslashreplace").decode() for r in rows))
    print(len(rows), "bad", bad)
    assert not bad

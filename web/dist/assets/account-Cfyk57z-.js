import{n as S,r as l,j as s,u as b,z as y,s as C}from"./vendor-Oyqtouv6.js";import{L as v,F as N,e as j,u as A,i as $,T as E,g as p,a as P,b as O}from"./index-BhPF5n5a.js";const k=[[/\bEdgA?\//,"Edge"],[/\bOPR\//,"Opera"],[/\bFirefox\/|\bFxiOS\//,"Firefox"],[/\bHeadlessChrome\/|\bChrome\/|\bCriOS\//,"Chrome"],[/\bSafari\//,"Safari"]],F=[[/\biPhone\b/,"iPhone"],[/\biPad\b/,"iPad"],[/\bAndroid\b/,"Android"],[/\bWindows\b/,"Windows"],[/\bMacintosh\b/,"Mac"],[/\bCrOS\b/,"ChromeOS"],[/\bLinux\b/,"Linux"]],g=(e,n)=>e.find(([t])=>t.test(n))?.[1];function f(e){const n=g(k,e)??e.split(/[/\s(]/)[0],t=g(F,e);return n?t?`${n} on ${t}`:n:"Unknown program"}const R=p(`
  fragment SessionRow_session on Session {
    id
    startedAt
    lastUsedAt
    address
    userAgent
    isCurrent
  }
`),q=p(`
  query Sessions {
    viewer {
      id
      sessions {
        id
        ...SessionRow_session
      }
    }
  }
`),I=p(`
  mutation EndSession($input: EndSessionInput!) {
    endSession(input: $input) {
      user {
        id
        sessions {
          id
          ...SessionRow_session
        }
      }
    }
  }
`),D=p(`
  mutation EndOtherSessions($input: EndAllSessionsInput!) {
    endAllSessions(input: $input) {
      user {
        id
        sessions {
          id
          ...SessionRow_session
        }
      }
    }
  }
`);function T(){const{data:e,error:n,refetch:t}=S(q,{fetchPolicy:"cache-and-network"}),{end:a,endOthers:o,busy:c,problem:d,said:i}=L(),r=l.useRef(null),m=l.useCallback(()=>{t().catch(()=>{})},[t]),u=e?.viewer?.sessions??[],x=A(R,u),w=h=>{h.then(()=>r.current?.focus())};return s.jsxs("section",{"aria-labelledby":"sessions-title",children:[s.jsx("h2",{className:"section",id:"sessions-title",tabIndex:-1,ref:r,children:"Sessions"}),!e&&!n&&s.jsx(v,{what:"sessions",rows:2}),!e&&n&&s.jsx(N,{error:n,retry:m}),s.jsx("ul",{className:"list",children:x.map(h=>s.jsx("li",{children:s.jsx(M,{session:h,busy:c,onEnd:()=>w(a(h))})},h.id))}),s.jsxs("div",{className:"session-foot",children:[x.some(h=>!h.isCurrent)&&s.jsx("button",{type:"button",className:"button",disabled:c,onClick:()=>w(o()),children:"End all other sessions"}),s.jsx("p",{className:"quiet",role:"status",children:i}),s.jsx("div",{role:"alert",children:d?s.jsx("p",{className:"problem",children:j(d).text}):null})]})]})}function L(){const[e,n]=l.useState(""),[t,a]=b(I),[o,c]=b(D),d=async(i,r)=>{n("");try{await i,n(r)}catch{}};return{end:i=>d(t({variables:{input:{sessionId:i.id}}}),`The session on ${f(i.userAgent)} has ended.`),endOthers:()=>d(o({variables:{input:{keepCurrent:!0}}}),"All other sessions have ended."),busy:a.loading||c.loading,problem:a.error??c.error,said:e}}function M({session:e,busy:n,onEnd:t}){const a=f(e.userAgent),o=$(new Date(e.startedAt));return s.jsxs("article",{className:"session","aria-label":`${a}, started ${o}`,children:[s.jsxs("div",{children:[s.jsx("p",{className:"name",title:e.userAgent,children:a}),s.jsxs("p",{className:"quiet",children:[e.address||"Unknown address"," · used ",s.jsx(E,{at:e.lastUsedAt})]}),s.jsxs("p",{className:"quiet",children:["Started ",s.jsx("time",{dateTime:e.startedAt,children:o})]})]}),e.isCurrent?s.jsx("p",{className:"this",children:"This one"}):s.jsxs("button",{type:"button",className:"button",disabled:n,onClick:t,children:["End",s.jsxs("span",{className:"hidden",children:[" the session on ",a,", started ",o]})]})]})}const U=p(`
  mutation ChangePassword($input: ChangePasswordInput!) {
    changePassword(input: $input) {
      token
    }
  }
`);function G(){return s.jsxs(s.Fragment,{children:[s.jsx(T,{}),s.jsxs("section",{"aria-labelledby":"password-title",children:[s.jsx("h2",{className:"section",id:"password-title",children:"Password"}),s.jsx(_,{}),s.jsx(H,{})]})]})}function _(){const e=y()?.changed??!1,n=l.useRef(null);return l.useEffect(()=>{e&&n.current?.focus()},[e]),e?s.jsx("p",{className:"notice",role:"status",tabIndex:-1,ref:n,children:"Your password is changed, and all other sessions have ended."}):null}function H(){const e=P(),[n,t]=l.useState(""),[a,o]=l.useState(""),{change:c,busy:d,error:i}=W(),r=l.useId(),m=u=>{u.preventDefault(),c(n,a)};return s.jsxs("form",{className:"entry-form",onSubmit:m,children:[s.jsx("input",{className:"hidden",name:"username",value:e?.username??"",autoComplete:"username",readOnly:!0,tabIndex:-1,"aria-hidden":"true"}),s.jsx("p",{className:"quiet",id:`${r}-hint`,children:"A new password has at least 8 characters, and ends all other sessions."}),s.jsx("label",{htmlFor:`${r}-current`,children:"Current password"}),s.jsx("input",{id:`${r}-current`,type:"password",value:n,onChange:u=>t(u.target.value),required:!0,autoComplete:"current-password"}),s.jsx("label",{htmlFor:`${r}-new`,children:"New password"}),s.jsx("input",{id:`${r}-new`,type:"password",value:a,onChange:u=>o(u.target.value),required:!0,minLength:8,autoComplete:"new-password","aria-describedby":`${r}-hint`}),s.jsx("div",{role:"alert",children:i?s.jsx("p",{className:"problem",children:j(i).text}):null}),s.jsx("button",{type:"submit",className:"button primary",disabled:d,children:d?"One moment…":"Change password"})]})}function W(){const{replaceToken:e}=O(),[,n]=C(),[t,{loading:a,error:o}]=b(U);return{change:async(d,i)=>{try{await e(async()=>{const{data:r}=await t({variables:{input:{currentPassword:d,newPassword:i}}}),m=r?.changePassword?.token;return m&&n("/account",{replace:!0,state:{changed:!0}}),m})}catch{}},busy:a,error:o}}export{G as default};
